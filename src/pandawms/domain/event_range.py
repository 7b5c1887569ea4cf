"""The life of an event range: one attempt to process a few events of a file, handed out to running jobs.

A range that failed stays failed; the next attempt is a new range with `attempt + 1`. A range that its job gave back without a
result was not tried to its end, so the same row becomes ready again. PanDA's numbers for the statuses are in NUMBERS.
"""

from __future__ import annotations

from pandawms.domain.machine import DAY, HOUR, NEW, Dwell, Flow, Machine, Word, unfold
from pandawms.domain.stages import Stage


class EventRangeStatus(Word):
    """PanDA's words for where an event range is."""

    READY = "ready", "may be handed out"
    SENT = "sent", "handed out to a job"
    RUNNING = "running", "its job works on it"
    FINISHED = "finished", "processed; its job still runs"
    CANCELLED = "cancelled", "its job was ended before it was processed"
    DISCARDED = "discarded", "processed, and its output is not wanted"
    DONE = "done", "processed and kept; waits for the merge"
    FAILED = "failed", "this attempt failed; a new range follows"
    FATAL = "fatal", "failed for good"
    MERGED = "merged", "in the merged output"
    CORRUPTED = "corrupted", "its output could not be read; a new range follows"


class EventRangeEvent(Word):
    """What may happen to an event range."""

    CREATE = "create", "cut from a file, or made anew from one that failed"
    HAND_OUT = "hand_out", "given to a job that asked"
    RUN = "run", "its job began it"
    FINISH = "finish", "its output is stored"
    FAIL = "fail", "its job could not process it"
    FAIL_FOR_GOOD = "fail_for_good", "an error that no attempt can mend, or no attempt is left"
    GIVE_BACK = "give_back", "its job ended without a result for it"
    KEEP = "keep", "its job ended and the output is kept"
    MERGE = "merge", "its output is in the merged file"
    CORRUPT = "corrupt", "its output cannot be read"
    CANCEL = "cancel", "its task or job was ended"
    DISCARD = "discard", "its output is thrown away"


S, E = EventRangeStatus, EventRangeEvent

FLOW: Flow[EventRangeEvent, EventRangeStatus] = {
    Stage.GENERATE: [(E.CREATE, NEW, S.READY)],
    Stage.DISPATCH: [(E.HAND_OUT, [S.READY], S.SENT)],
    Stage.REPORT: [
        (E.RUN, [S.SENT], S.RUNNING),
        (E.FINISH, [S.READY, S.SENT, S.RUNNING], S.FINISHED),
        (E.FAIL, [S.SENT, S.RUNNING], S.FAILED),
        (E.FAIL_FOR_GOOD, [S.READY, S.SENT, S.RUNNING], S.FATAL),
        (E.GIVE_BACK, [S.SENT, S.RUNNING], S.READY),
        (E.KEEP, [S.FINISHED], S.DONE),
    ],
    Stage.AGGREGATE: [
        (E.MERGE, [S.DONE], S.MERGED),
        (E.CORRUPT, [S.DONE], S.CORRUPTED),
    ],
    Stage.COMMAND: [
        (E.CANCEL, [S.READY, S.SENT, S.RUNNING], S.CANCELLED),
        (E.DISCARD, [S.FINISHED, S.DONE], S.DISCARDED),
    ],
}
INITIAL, TRANSITIONS, OWNERS = unfold(FLOW)
REOPENING: frozenset[EventRangeEvent] = frozenset()

NUMBERS: dict[EventRangeStatus, int] = {status: number for number, status in enumerate(EventRangeStatus)}
"""PanDA's number of each status, 0 (ready) to 10 (corrupted)."""

_WHY = "job_event.why"
_LEASE = "ends with its job, whose lease ends much earlier when heartbeats stop"

DWELL: dict[EventRangeStatus, Dwell] = {
    S.READY: Dwell(None, None, _WHY, "until a job asks; the task has limits of its own"),
    S.SENT: Dwell(DAY, E.GIVE_BACK, _WHY, _LEASE),
    S.RUNNING: Dwell(21 * DAY, E.GIVE_BACK, _WHY, _LEASE),
    S.FINISHED: Dwell(21 * DAY, E.KEEP, _WHY, _LEASE),
    S.DONE: Dwell(48 * HOUR, None, _WHY, "reported as stuck when no merge job exists for it"),
}

EVENT_RANGE: Machine[EventRangeStatus, EventRangeEvent] = Machine(
    "event range", EventRangeStatus, EventRangeEvent, INITIAL, TRANSITIONS, OWNERS, DWELL, REOPENING
)
FINAL = EVENT_RANGE.final
next_status = EVENT_RANGE.next_status
sources = EVENT_RANGE.sources
