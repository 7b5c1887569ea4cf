"""aggregate: takes tasks whose files changed; leaves retries, merge groups, ended source jobs, closed outputs and the verdict of the task.

All that follows from files. It must not know pilots or queues.
"""
