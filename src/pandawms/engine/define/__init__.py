"""define: takes submitted tasks and datasets that grow; leaves ready tasks with their inputs listed as units.

`submit.py` is the door: it checks a document against the database and stores the task whole or not at all. Must not know of queues beyond asking the
broker's question «could any queue ever run this?», which its caller hands in.
"""
