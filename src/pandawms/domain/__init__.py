"""The words of the system: statuses, events and transition tables, outcomes, requirements and errors.

Takes and leaves nothing: this package only says what the entities are, which changes they may undergo and who may cause them.
It must not know the database, the network, files, clocks or any other package of the project, and it runs on Python 3.9 with
the standard library alone, because the pilot carries it to worker nodes.
"""
