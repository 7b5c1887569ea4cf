"""Copies of jobs."""

from __future__ import annotations

from pandawms.wire.panda_params.draft import Draft

MODES = {"runonce": "run_once", "1": "run_once", "storeonce": "store_once", "2": "store_once"}
"""PanDA's words, and the numbers that it keeps for them."""


def cloning(draft: Draft) -> None:
    """Which copy counts, and how many there are: as many as consumers or sites, whichever is less (PanDA: two sites unless it is told otherwise)."""
    given = draft.given("useJobCloning")
    if given is None:
        return
    mode = MODES.get(str(given).strip().lower().replace("_", ""))
    if mode is None:
        draft.drop("useJobCloning", f"{given!r} is neither runonce nor storeonce")
        return
    if "build" in draft.document:
        draft.drop("useJobCloning", "what is built is for one queue, and the copies of a job are in several")
        return
    sites = draft.number("nSitesPerJob")
    consumers = draft.number("nEsConsumers")
    known = [int(n) for n in (sites, consumers) if n is not None and n >= 1]
    copies = min(10, *known) if known else 2
    queues = draft.document.get("queues")
    if copies < 2 or (queues and len(queues) < copies):
        why = "there is one" if copies < 2 else "fewer are named than copies are asked for"
        draft.drop("useJobCloning", f"the copies of a job are in different queues, and {why}")
        return
    draft.map("useJobCloning", "cloning.mode", mode)
    for key, n in (("nSitesPerJob", sites), ("nEsConsumers", consumers)):
        if n is not None and n >= 1:
            draft.map(key, "cloning.copies", copies)
            if int(n) != copies:
                draft.note(key, f"{copies} copies are made, one a queue and ten at most")
