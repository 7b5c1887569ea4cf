"""The schema as a sequence of .sql files, and the runner that applies them.

A file is named `NNNNN_{pre|post}_name.sql`: `pre` is safe under the code that runs now and is applied before the new code starts; `post` is safe under
the new code and is applied after the last old process has stopped.
"""
