"""provision: keeps the right number of pilots in the batch systems; takes the demand of a queue, leaves workers.

Speaks to the system through the client alone, so that it can run at the site. A batch system is one file here (`local.py`) behind
`plugins.provisioner.Provisioner`; `plan.py` decides how many pilots to start, purely; `loop.py` does it.
"""
