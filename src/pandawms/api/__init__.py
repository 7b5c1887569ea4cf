"""The REST API of version 2: parses, authorises, makes one call, answers.

Takes HTTP requests and the parts of `core.py`; leaves rows by the functions of engine/ and store/. `routes/` has one module a resource, `policies.py` says
who may do what, `problem.py` turns every error into a problem document. It must not know SQL, nor how a stage decides.
"""
