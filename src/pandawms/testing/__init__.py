"""Conformance suites: what an implementation of each Protocol in `plugins` must hold, in-tree or foreign.

Takes an implementation, leaves nothing or an AssertionError that says what it does wrong. A suite is plain code without a test framework, so that a
plugin's own tests can call it from whatever they use.
"""
