"""place: takes jobs in status defined or assigned; leaves them activated as soon as their queue can read all their inputs, else assigned.

Successors of jobs that ended are released by the same statement that ends their predecessors (the database's function end_jobs).
"""
