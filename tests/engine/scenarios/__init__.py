"""The stories that the system must survive, one test each: section 14 of the reference semantics, in our words, from the submit to the verdict.

Database, engine, servers' calls and clock are the real ones or injected; the pilots are played by hand. Which scenario is told where, and which of them
also run with real pilots, is in docs/explanation/scenarios.md.
"""
