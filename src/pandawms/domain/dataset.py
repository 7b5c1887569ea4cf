"""The life of a dataset: as a part of a task (DATASET), and by itself in the catalogue (DATASET_STATE).

A dataset in a task has a status that follows the task's work on it; PanDA's words, for inputs and outputs alike. The dataset
itself is open (someone adds files), mutable (the task that produces it still runs) or closed (no file will be added), which is
what a task that reads it looks at.
"""

from __future__ import annotations

from pandawms.domain.machine import DAY, HOUR, NEW, Dwell, Flow, Machine, Word, unfold
from pandawms.domain.stages import Stage


class DatasetStatus(Word):
    """PanDA's words for where a dataset in a task is."""

    DEFINED = "defined", "named by the task, not looked at yet"
    PENDING = "pending", "expected, but not there yet"
    REGISTERING = "registering", "an output dataset that is being registered elsewhere"
    READY = "ready", "its files are listed, or files may be written to it"
    TOUPDATE = "toupdate", "its content may have changed and is listed again"
    RUNNING = "running", "jobs work on it"
    PREPARED = "prepared", "all work on it is done; the verdict comes next"
    DONE = "done", "all of it was processed or made"
    FINISHED = "finished", "a part of it was processed or made"
    FAILED = "failed", "nothing of it was processed or made"
    BROKEN = "broken", "does not exist or cannot be used"
    REMOVED = "removed", "taken out of the task"


class DatasetEvent(Word):
    """What may happen to a dataset in a task."""

    ADD = "add", "named by a task"
    LIST = "list", "its files are listed, or it is ready to be written to"
    WAIT = "wait", "it is not there yet"
    REJECT = "reject", "it does not exist or cannot be used"
    REFRESH = "refresh", "its content may have changed"
    EXTEND = "extend", "the task goes on with what was added to it"
    REMOVE = "remove", "taken out of the task"
    REGISTER = "register", "its registration elsewhere was asked for"
    REGISTERED = "registered", "it is registered elsewhere"
    START = "start", "the first job works on it"
    PREPARE = "prepare", "no more work on it will come"
    COMPLETE = "complete", "verdict: all of it"
    COMPLETE_PARTLY = "complete_partly", "verdict: a part of it"
    FAIL = "fail", "verdict: nothing of it"
    REOPEN = "reopen", "some of its files are opened again"
    WAKE = "wake", "waited long enough: look at it again"


S, E = DatasetStatus, DatasetEvent

_OPEN = frozenset({S.DEFINED, S.PENDING, S.REGISTERING, S.READY, S.TOUPDATE, S.RUNNING, S.PREPARED})
_SETTLED = frozenset({S.DONE, S.FINISHED, S.FAILED})

FLOW: Flow[DatasetEvent, DatasetStatus] = {
    Stage.DEFINE: [
        (E.ADD, NEW, S.DEFINED),
        (E.LIST, [S.DEFINED, S.TOUPDATE], S.READY),
        (E.WAIT, [S.DEFINED, S.TOUPDATE], S.PENDING),
        (E.REJECT, [S.DEFINED, S.TOUPDATE], S.BROKEN),
        (E.REFRESH, [S.READY, S.RUNNING], S.TOUPDATE),
        (E.EXTEND, _SETTLED, S.TOUPDATE),
        (E.REMOVE, _OPEN, S.REMOVED),
    ],
    Stage.GENERATE: [
        (E.REGISTER, [S.DEFINED], S.REGISTERING),
        (E.REGISTERED, [S.REGISTERING], S.READY),
        (E.START, [S.READY], S.RUNNING),
    ],
    Stage.AGGREGATE: [
        (E.PREPARE, [S.READY, S.RUNNING], S.PREPARED),
        (E.COMPLETE, [S.READY, S.RUNNING, S.PREPARED], S.DONE),
        (E.COMPLETE_PARTLY, [S.READY, S.RUNNING, S.PREPARED], S.FINISHED),
        (E.FAIL, _OPEN, S.FAILED),
        (E.REOPEN, _SETTLED, S.READY),
    ],
    Stage.WATCH: [(E.WAKE, [S.PENDING], S.DEFINED)],
}
INITIAL, TRANSITIONS, OWNERS = unfold(FLOW)

REOPENING: frozenset[DatasetEvent] = frozenset({E.EXTEND, E.REOPEN})
"""May leave a verdict: a task that is extended or retried."""

_WHY = "entity_event.why"
_PASS = Dwell(HOUR, None, _WHY, "one pass of the engine; reported as stuck after the limit")
_TASK = Dwell(None, None, _WHY, "as long as its task, which has limits of its own")

DWELL: dict[DatasetStatus, Dwell] = {
    S.DEFINED: _PASS,
    S.PENDING: _TASK,
    S.REGISTERING: _PASS,
    S.READY: _TASK,
    S.TOUPDATE: _PASS,
    S.RUNNING: _TASK,
    S.PREPARED: _PASS,
}

DATASET: Machine[DatasetStatus, DatasetEvent] = Machine("dataset", DatasetStatus, DatasetEvent, INITIAL, TRANSITIONS, OWNERS, DWELL, REOPENING)
FINAL = DATASET.final
next_status = DATASET.next_status
sources = DATASET.sources


class DatasetState(Word):
    """Whether files may still be added to a dataset of the catalogue."""

    OPEN = "open", "files may be added by whoever owns it"
    MUTABLE = "mutable", "the task that produces it still runs"
    CLOSED = "closed", "no file will be added"
    DELETED = "deleted", "its files are gone; the name stays taken, unless it never had any"


class DatasetStateEvent(Word):
    """What may happen to a dataset of the catalogue."""

    CREATE = "create", "made by a user"
    CREATE_OUTPUT = "create_output", "made for the output of a task"
    CLOSE = "close", "its owner says that it is complete"
    DELETE = "delete", "its owner or its lifetime ends it"
    FREEZE = "freeze", "the task that produces it has ended"
    THAW = "thaw", "the task that produces it goes on"
    DISCARD = "discard", "the task that should have produced it was ended before it made any file"
    OUTLIVE = "outlive", "nobody closed it in time"
    EXPIRE = "expire", "it is transient, and all that read it have been done for some time"


DATASET_STATE_FLOW: Flow[DatasetStateEvent, DatasetState] = {
    Stage.DEFINE: [
        (DatasetStateEvent.CREATE, NEW, DatasetState.OPEN),
        (DatasetStateEvent.CREATE_OUTPUT, NEW, DatasetState.MUTABLE),
    ],
    Stage.COMMAND: [
        (DatasetStateEvent.CLOSE, [DatasetState.OPEN], DatasetState.CLOSED),
        (DatasetStateEvent.DELETE, [DatasetState.OPEN, DatasetState.CLOSED], DatasetState.DELETED),
    ],
    Stage.AGGREGATE: [
        (DatasetStateEvent.FREEZE, [DatasetState.MUTABLE], DatasetState.CLOSED),
        (DatasetStateEvent.THAW, [DatasetState.CLOSED, DatasetState.DELETED], DatasetState.MUTABLE),
        (DatasetStateEvent.DISCARD, [DatasetState.CLOSED], DatasetState.DELETED),
    ],
    Stage.WATCH: [
        (DatasetStateEvent.OUTLIVE, [DatasetState.OPEN], DatasetState.CLOSED),
        (DatasetStateEvent.EXPIRE, [DatasetState.CLOSED], DatasetState.DELETED),
    ],
}
_INITIAL, _TRANSITIONS, _OWNERS = unfold(DATASET_STATE_FLOW)

DATASET_STATE: Machine[DatasetState, DatasetStateEvent] = Machine(
    "dataset state",
    DatasetState,
    DatasetStateEvent,
    _INITIAL,
    _TRANSITIONS,
    _OWNERS,
    {
        DatasetState.OPEN: Dwell(90 * DAY, DatasetStateEvent.OUTLIVE, "entity_event.why"),
        DatasetState.MUTABLE: Dwell(None, None, "entity_event.why", "as long as its task"),
    },
    frozenset({DatasetStateEvent.THAW, DatasetStateEvent.DELETE, DatasetStateEvent.DISCARD, DatasetStateEvent.EXPIRE}),
)
