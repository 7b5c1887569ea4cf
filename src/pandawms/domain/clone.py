"""Clones: several jobs over the same inputs in different queues, of which one counts.

The copies of a job share a group. Exactly one of them, the lead, answers for the inputs; the others come and go without touching them.
"""

from __future__ import annotations

from pandawms.domain.machine import Word


class CloneMode(Word):
    """When it is decided which copy counts."""

    RUN_ONCE = "run_once", "the first copy that starts its payload; the others never run"
    STORE_ONCE = "store_once", "the first copy that is about to store its outputs; the others run until that one has stored them"


class CloneStatus(Word):
    """Where a group of copies is."""

    OPEN = "open", "no copy counts yet; the lead is any that lives"
    WON = "won", "the lead has passed the gate and works on"
    OVER = "over", "the lead's end has decided about the inputs; whatever copies are left are stopped"


GATES = {CloneMode.RUN_ONCE: "run", CloneMode.STORE_ONCE: "store"}
"""What a copy must not begin before the server has let it pass, in the words of the pilot's wire."""

ANOTHER_WON = "another copy of this job has won"
"""What a copy that lost is told."""
