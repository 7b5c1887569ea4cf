"""The life of a worker: one pilot in a batch system (or one local process), made, watched and ended by its provisioner.

The words are Harvester's. What the pilot itself says is kept beside the status and never changes it: the batch system decides
whether a worker lives. A late word never moves a worker back (submitted after running changes nothing).
"""

from __future__ import annotations

from pandawms.domain.machine import DAY, HOUR, NEW, Dwell, Flow, Machine, Word, unfold
from pandawms.domain.stages import Stage


class WorkerStatus(Word):
    """Harvester's words for where a worker is."""

    PENDING = "pending", "wanted, not submitted yet"
    SUBMITTED = "submitted", "in the queue of the batch system"
    READY = "ready", "has its resources and waits for jobs to be fed to it"
    IDLE = "idle", "started, but does no work"
    RUNNING = "running", "its pilot runs"
    FINISHED = "finished", "ended by itself"
    FAILED = "failed", "ended with an error"
    CANCELLED = "cancelled", "ended by its provisioner or an operator"
    MISSED = "missed", "not accepted by the batch system, or gone without a trace"


class WorkerEvent(Word):
    """What may happen to a worker."""

    CREATE = "create", "one more pilot is wanted"
    SUBMIT = "submit", "the batch system took it"
    GET_READY = "get_ready", "its resources are there; jobs may be fed"
    REST = "rest", "it does no work now"
    RUN = "run", "its pilot runs"
    FINISH = "finish", "it ended by itself"
    FAIL = "fail", "it ended with an error"
    CANCEL = "cancel", "it is not wanted any more"
    MISS = "miss", "the batch system refused it or does not know it any more"
    LOSE = "lose", "its provisioner said nothing about it for too long"


S, E = WorkerStatus, WorkerEvent

ALIVE = frozenset({S.SUBMITTED, S.READY, S.IDLE, S.RUNNING})
"""Known to the batch system and not ended."""

QUEUED = frozenset({S.PENDING, S.SUBMITTED, S.READY, S.IDLE})
"""Counted as waiting when a provisioner decides how many more to submit."""

FLOW: Flow[WorkerEvent, WorkerStatus] = {
    Stage.PROVISION: [
        (E.CREATE, NEW, S.PENDING),
        (E.SUBMIT, [S.PENDING], S.SUBMITTED),
        (E.GET_READY, [S.SUBMITTED], S.READY),
        (E.REST, [S.SUBMITTED, S.READY, S.RUNNING], S.IDLE),
        (E.RUN, [S.SUBMITTED, S.READY, S.IDLE], S.RUNNING),
        (E.FINISH, ALIVE, S.FINISHED),
        (E.FAIL, ALIVE, S.FAILED),
        (E.CANCEL, ALIVE | {S.PENDING}, S.CANCELLED),
        (E.MISS, ALIVE | {S.PENDING}, S.MISSED),
    ],
    Stage.WATCH: [(E.LOSE, ALIVE | {S.PENDING}, S.MISSED)],
}
INITIAL, TRANSITIONS, OWNERS = unfold(FLOW)
REOPENING: frozenset[WorkerEvent] = frozenset()

_WHY = "entity_event.why"

DWELL: dict[WorkerStatus, Dwell] = {
    S.PENDING: Dwell(HOUR, E.LOSE, _WHY),
    S.SUBMITTED: Dwell(7 * DAY, E.LOSE, _WHY, "a batch queue may be long; its provisioner confirms it at every round"),
    S.READY: Dwell(DAY, E.LOSE, _WHY),
    S.IDLE: Dwell(HOUR, E.LOSE, _WHY),
    S.RUNNING: Dwell(21 * DAY, E.LOSE, _WHY, "as long as its batch system allows"),
}

WORKER: Machine[WorkerStatus, WorkerEvent] = Machine("worker", WorkerStatus, WorkerEvent, INITIAL, TRANSITIONS, OWNERS, DWELL, REOPENING)
FINAL = WORKER.final
next_status = WORKER.next_status
sources = WORKER.sources
