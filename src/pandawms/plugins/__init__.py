"""What code from outside may implement: Protocols, and their loading by entry point.

Takes nothing from the rest of the system but domain/, in which all types of these Protocols live. A distribution registers an object under one of the
groups of `loading.GROUPS`; `examples/plugin/` is a whole one. A conformance suite for each Protocol is in testing/.
"""
