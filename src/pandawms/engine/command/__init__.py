"""command: takes rows of the command table; leaves the change applied to tasks and jobs, in sets, and an answer in the row.

A killed job that a pilot holds is told so by its next heartbeat; all others end at once.
"""
