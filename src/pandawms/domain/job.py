"""The life of a job: one attempt of a pilot to process some inputs of a task.

Decisions that differ from PanDA's code, on purpose:
- Every ended attempt is final. PanDA can put a failed analysis job back to activated; here a retry is always a new job.
- Any status under a lease may end directly: the last report may be the first word that the server hears of a job.
- A job that was sent and never answered is lost (failed), not handed out again: nobody knows whether its pilot works on it.
- stagein and stageout are the optional finer words of a running pilot; a server may keep to starting and running.
"""

from __future__ import annotations

from pandawms.domain.machine import DAY, HOUR, MINUTE, NEW, Dwell, Flow, Machine, Word, unfold
from pandawms.domain.stages import Stage


class JobStatus(Word):
    """PanDA's words for where a job is."""

    PENDING = "pending", "made, but its output datasets are not settled yet"
    DEFINED = "defined", "waits for the placement of its input data to be decided"
    WAITING = "waiting", "waits for the jobs before it (a build, a predecessor)"
    ASSIGNED = "assigned", "its input data is on the way to the queue"
    ACTIVATED = "activated", "ready for a pilot"
    THROTTLED = "throttled", "ready, but held: the user is over a cap or the task is paused"
    SENT = "sent", "handed to a pilot, no heartbeat yet"
    STARTING = "starting", "a pilot holds it and prepares it"
    STAGEIN = "stagein", "the pilot fetches its inputs"
    RUNNING = "running", "its payload runs"
    STAGEOUT = "stageout", "the pilot stores its outputs"
    HOLDING = "holding", "its payload ended; its outputs wait to be recovered or registered"
    TRANSFERRING = "transferring", "its outputs move to their destination"
    MERGING = "merging", "its outputs wait to be merged"
    FINISHED = "finished", "done, its outputs are kept"
    FAILED = "failed", "this attempt gave no result"
    CANCELLED = "cancelled", "ended by a command"
    CLOSED = "closed", "ended by the system before it ran"


class JobEvent(Word):
    """What may happen to a job."""

    CREATE = "create", "made from inputs and an allocation"
    CREATE_PENDING = "create_pending", "made before its output datasets are settled"
    CREATE_WAITING = "create_waiting", "made before the jobs that it waits for have ended"
    SETTLE = "settle", "its output datasets are settled"
    RELEASE = "release", "the jobs before it have finished; data is looked at next"
    DROP = "drop", "a job before it failed for good"
    REQUEST_DATA = "request_data", "its input data was asked to move to the queue"
    ACTIVATE = "activate", "its input data and predecessors are there"
    FAIL_PLACEMENT = "fail_placement", "its input data cannot be brought to the queue"
    MOVE = "move", "its held outputs start to move to their destination"
    DELIVER = "deliver", "its outputs arrived at their destination"
    FAIL_DELIVERY = "fail_delivery", "its outputs cannot be brought to their destination"
    CLAIM = "claim", "a pilot takes it under a lease"
    START = "start", "the pilot says that it prepares the job"
    STAGE_IN = "stage_in", "the pilot says that it fetches inputs"
    RUN = "run", "the pilot says that the payload runs"
    STAGE_OUT = "stage_out", "the pilot says that it stores outputs"
    FINISH = "finish", "the pilot reports success and the outputs are where they belong"
    FAIL = "fail", "the pilot reports a failure"
    HOLD = "hold", "the pilot reports its end, but outputs are still to be registered elsewhere or recovered"
    TRANSFER = "transfer", "the pilot reports success; the outputs are on the way"
    MERGE = "merge", "the pilot reports success; the outputs are to be merged"
    RETIRE = "retire", "the pilot reports that there was nothing left to do for it"
    REGISTER = "register", "its held outputs are registered"
    REGISTER_FOR_MERGE = "register_for_merge", "its held outputs are registered and are to be merged"
    FAIL_REGISTRATION = "fail_registration", "its held outputs cannot be registered or recovered"
    MERGED = "merged", "the merge job with its outputs finished"
    MERGE_FAILED = "merge_failed", "the merge of its outputs failed for good"
    CANCEL = "cancel", "a user or an operator ends it"
    CLOSE = "close", "not needed any more, and it did not run yet (reassigned, task done)"
    PAUSE = "pause", "its task was paused"
    RESUME = "resume", "its task goes on"
    THROTTLE = "throttle", "its user is over a cap"
    UNTHROTTLE = "unthrottle", "its user is under the cap again"
    EXPIRE = "expire", "it waited too long before a pilot took it"
    LOSE = "lose", "its lease ran out, or it was held too long"


S, E = JobStatus, JobEvent

LEASED = frozenset({S.SENT, S.STARTING, S.STAGEIN, S.RUNNING, S.STAGEOUT})
"""In the hands of a pilot: heartbeats renew the lease."""

QUEUED = frozenset({S.PENDING, S.DEFINED, S.WAITING, S.ASSIGNED, S.ACTIVATED, S.THROTTLED})
"""Not yet in the hands of a pilot."""

SETTLING = frozenset({S.HOLDING, S.TRANSFERRING, S.MERGING})
"""The payload has ended, the job has not: something is still done with its outputs."""

FLOW: Flow[JobEvent, JobStatus] = {
    Stage.GENERATE: [
        (E.CREATE, NEW, S.DEFINED),
        (E.CREATE_PENDING, NEW, S.PENDING),
        (E.CREATE_WAITING, NEW, S.WAITING),
        (E.SETTLE, [S.PENDING], S.DEFINED),
    ],
    Stage.PLACE: [
        (E.RELEASE, [S.WAITING], S.DEFINED),
        (E.DROP, [S.WAITING], S.CLOSED),
        (E.REQUEST_DATA, [S.DEFINED], S.ASSIGNED),
        (E.ACTIVATE, [S.DEFINED, S.WAITING, S.ASSIGNED], S.ACTIVATED),
        (E.FAIL_PLACEMENT, [S.DEFINED, S.ASSIGNED], S.FAILED),
        (E.MOVE, [S.HOLDING], S.TRANSFERRING),
        (E.DELIVER, [S.TRANSFERRING], S.FINISHED),
        (E.FAIL_DELIVERY, [S.TRANSFERRING], S.FAILED),
    ],
    Stage.DISPATCH: [(E.CLAIM, [S.ACTIVATED], S.SENT)],
    Stage.REPORT: [
        (E.START, [S.SENT], S.STARTING),
        (E.STAGE_IN, [S.SENT, S.STARTING], S.STAGEIN),
        (E.RUN, [S.SENT, S.STARTING, S.STAGEIN], S.RUNNING),
        (E.STAGE_OUT, [S.SENT, S.STARTING, S.STAGEIN, S.RUNNING], S.STAGEOUT),
        (E.FINISH, LEASED | {S.HOLDING, S.TRANSFERRING}, S.FINISHED),
        (E.FAIL, LEASED | {S.HOLDING, S.TRANSFERRING}, S.FAILED),
        (E.HOLD, LEASED | {S.TRANSFERRING}, S.HOLDING),
        (E.TRANSFER, LEASED, S.TRANSFERRING),
        (E.MERGE, LEASED, S.MERGING),
        (E.RETIRE, LEASED, S.CLOSED),
    ],
    Stage.AGGREGATE: [
        (E.REGISTER, [S.HOLDING], S.FINISHED),
        (E.REGISTER_FOR_MERGE, [S.HOLDING], S.MERGING),
        (E.FAIL_REGISTRATION, [S.HOLDING], S.FAILED),
        (E.MERGED, [S.MERGING], S.FINISHED),
        (E.MERGE_FAILED, [S.MERGING], S.FAILED),
    ],
    Stage.COMMAND: [
        (E.CANCEL, QUEUED | LEASED | SETTLING, S.CANCELLED),
        (E.CLOSE, QUEUED | {S.SENT, S.STARTING}, S.CLOSED),
        (E.PAUSE, [S.ACTIVATED], S.THROTTLED),
        (E.RESUME, [S.THROTTLED], S.ACTIVATED),
    ],
    Stage.WATCH: [
        (E.THROTTLE, [S.ACTIVATED], S.THROTTLED),
        (E.UNTHROTTLE, [S.THROTTLED], S.ACTIVATED),
        (E.EXPIRE, QUEUED, S.CLOSED),
        (E.LOSE, LEASED | {S.HOLDING, S.TRANSFERRING}, S.FAILED),
    ],
}
INITIAL, TRANSITIONS, OWNERS = unfold(FLOW)

REOPENING: frozenset[JobEvent] = frozenset()

_WHY = "job_event.why"
_LEASE = "the lease ends it much earlier when heartbeats stop"

DWELL: dict[JobStatus, Dwell] = {
    S.PENDING: Dwell(HOUR, E.EXPIRE, _WHY),
    S.DEFINED: Dwell(4 * HOUR, E.EXPIRE, _WHY),
    S.WAITING: Dwell(7 * DAY, E.EXPIRE, _WHY, "PanDA waits 1 h, for builds only; here the jobs before it may be any and have limits of their own"),
    S.ASSIGNED: Dwell(12 * HOUR, E.EXPIRE, _WHY),
    S.ACTIVATED: Dwell(2 * DAY, E.EXPIRE, _WHY, "then its inputs are brokered anew"),
    S.THROTTLED: Dwell(7 * DAY, E.EXPIRE, _WHY, "not counted while its task is paused"),
    S.SENT: Dwell(30 * MINUTE, E.LOSE, _WHY, _LEASE),
    S.STARTING: Dwell(2 * DAY, E.LOSE, _WHY, _LEASE),
    S.STAGEIN: Dwell(2 * DAY, E.LOSE, _WHY, _LEASE),
    S.RUNNING: Dwell(21 * DAY, E.LOSE, _WHY, _LEASE),
    S.STAGEOUT: Dwell(2 * DAY, E.LOSE, _WHY, _LEASE),
    S.HOLDING: Dwell(2 * DAY, E.LOSE, _WHY, "3 h for user jobs and priorities above 800"),
    S.TRANSFERRING: Dwell(2 * DAY, E.LOSE, _WHY, "a queue may set its own number of days"),
    S.MERGING: Dwell(None, None, _WHY, "ends with its merge job; reported as stuck when the group has had none for 2 h"),
}

JOB: Machine[JobStatus, JobEvent] = Machine("job", JobStatus, JobEvent, INITIAL, TRANSITIONS, OWNERS, DWELL, REOPENING)
FINAL = JOB.final
next_status = JOB.next_status
sources = JOB.sources

MAX_SEED = 900_000_000
"""Pythia and most generators take seeds from 1 to 900,000,000 (Pythia 8 manual, Random:seed)."""


def seed(task_id: int, serial: int, offset: int = 0) -> int:
    """The random seed of a job: the same for every attempt at the same first unit, different within a task, 1 to MAX_SEED; `offset` is added."""
    return (task_id * 1_000_003 + serial + offset) % MAX_SEED + 1
