"""Data management: the built-in implementation of the DataManager protocol, the storage it speaks to, and the blobs of the system itself.

Takes names, urls and bytes; leaves files in storage. Rows of the catalogue are in store/. Knows nothing of tasks and jobs.
"""
