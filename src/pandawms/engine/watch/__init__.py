"""watch: takes leases, workers and the clock; leaves expired leases ended, orphaned jobs ended, and room made ahead of need.

A lease counts only time in which a server could hear: while none does, nothing is ended; when one hears again after a gap, every lease gets a full
period first (`hearing.py`, called by the server).
"""
