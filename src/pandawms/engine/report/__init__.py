"""report: takes heartbeats and reports of pilots; leaves renewed leases, and ended jobs with their files, counters and log, in one transaction.

Called by API handlers through `gather.py`. A job whose output is to be merged stays hot in status merging until aggregate ends it.
"""
