"""Writes the reference pages that follow from code: states, error codes, settings, commands, the task document and its schema.

Takes the tables of domain/, the settings and the parsers of the commands; leaves pages in docs/reference. A test fails while one is stale.
"""
