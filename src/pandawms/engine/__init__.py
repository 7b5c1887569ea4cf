"""The engine: one folder a stage, meeting only in the database.

Every stage takes rows with a status and leaves rows with a status (each package's docstring says which); `plan.py` decides, purely; `step.py` reads,
plans and applies in one short transaction and returns how much it did. dispatch and report are called by the API in batches (`gather.py`); the
others are driven by `loop.py`, in any number of processes. Stages never import each other.
"""
