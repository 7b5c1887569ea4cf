"""dispatch: takes claims of pilots and activated jobs; leaves jobs in status sent, leased to the claim, and tells the pilot all it needs.

Called by API handlers through `gather.py`, which batches concurrent claims. `resolve.py` turns rows into the pilot's job specs.
"""
