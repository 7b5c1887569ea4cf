"""The agent on the worker node: asks for work, runs it, reports it, until its time is over or nothing is left.

Takes jobs from the server's claim call; leaves output files in storage, a report and a log at the server, and an empty
work folder. Standard library and Python 3.9 only, shipped as one zipapp (`build`). Imports `wire.pilot` and `domain` and
must know nothing of the server's insides. Acts on processes that it started and on files that it wrote, on no others.
"""

PILOT_VERSION = "0.1.0"
