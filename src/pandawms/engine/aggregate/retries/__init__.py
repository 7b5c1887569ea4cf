"""retries: takes units whose last job failed; leaves them ready for another attempt or failed for good, by two counters and a table of rules.

What a failure costs is decided in `accounting.py`, which rule acts in `choosing.py`, how memory, wall time and inputs change in `growing.py`; `plan.py` puts
them together, `simulate.py` asks it about the past. All of that is pure; `step.py` acts. It must not know pilots.
"""
