"""splitting: takes units in order and limits; leaves jobs, refusals and a tail. Pure.

Asked by the broker (how large jobs will be), by generate (which units go into which job) and by a dry run. It must not know of the database, nor why a queue
was chosen.
"""
