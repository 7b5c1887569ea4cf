"""The words for what becomes of a payload: one run of a task's command for one input unit, in a job that has several."""

from __future__ import annotations

from pandawms.domain.machine import Word


class PayloadStatus(Word):
    """What became of a payload in its job; it is final from the first."""

    FINISHED = "finished", "it succeeded; its unit is processed (or waits for the merge), whatever becomes of its job"
    FAILED = "failed", "it failed; its unit counts a failure and may go into another job"
    UNREACHED = "unreached", "its job ended before it; its unit is ready again, and the attempt costs nothing"
