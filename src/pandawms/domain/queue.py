"""The life of a queue: where jobs may be sent. It has no end, only moods, and each mood says what is allowed (PERMITS).

Operators set the status by command; robots and calendars (watch) exclude and recover. What a person set, a robot does not undo:
`recover` and `end_downtime` are applied only when the last event of the queue was the robot's own.
"""

from __future__ import annotations

from dataclasses import dataclass

from pandawms.domain.machine import NEW, Dwell, Flow, Machine, Word, unfold
from pandawms.domain.stages import Stage


class QueueStatus(Word):
    """PanDA's words for the state of a queue."""

    ONLINE = "online", "takes work"
    BROKEROFF = "brokeroff", "gets no new jobs and works off what it has"
    TEST = "test", "gets test jobs only"
    OFFLINE = "offline", "does nothing"
    PAUSED = "paused", "gets no new jobs; nothing that waits there times out"


class QueueEvent(Word):
    """What may happen to a queue."""

    ADD = "add", "described by an operator"
    ADD_OFFLINE = "add_offline", "described by an operator, not to be used yet"
    SET_ONLINE = "set_online", "an operator opens it"
    SET_BROKEROFF = "set_brokeroff", "an operator lets it work off what it has"
    SET_TEST = "set_test", "an operator keeps it for tests"
    SET_OFFLINE = "set_offline", "an operator shuts it"
    SET_PAUSED = "set_paused", "an operator pauses it"
    EXCLUDE = "exclude", "it failed its functional tests"
    RECOVER = "recover", "it passes its functional tests again"
    BEGIN_DOWNTIME = "begin_downtime", "an announced downtime begins"
    END_DOWNTIME = "end_downtime", "an announced downtime is over"


@dataclass(frozen=True)
class Permits:
    """What a queue status allows: pilots to be submitted, jobs to be brokered to it, jobs to be handed out there, timeouts to run."""

    pilots: bool
    brokered: bool
    dispatched: bool
    timeouts: bool
    tests_only: bool = False


S, E = QueueStatus, QueueEvent

PERMITS: dict[QueueStatus, Permits] = {
    S.ONLINE: Permits(pilots=True, brokered=True, dispatched=True, timeouts=True),
    S.BROKEROFF: Permits(pilots=True, brokered=False, dispatched=True, timeouts=True),
    S.TEST: Permits(pilots=True, brokered=True, dispatched=True, timeouts=True, tests_only=True),
    S.OFFLINE: Permits(pilots=False, brokered=False, dispatched=False, timeouts=True),
    S.PAUSED: Permits(pilots=True, brokered=False, dispatched=True, timeouts=False),
}

_ALL = frozenset(QueueStatus)

FLOW: Flow[QueueEvent, QueueStatus] = {
    Stage.COMMAND: [
        (E.ADD, NEW, S.ONLINE),
        (E.ADD_OFFLINE, NEW, S.OFFLINE),
        (E.SET_ONLINE, _ALL - {S.ONLINE}, S.ONLINE),
        (E.SET_BROKEROFF, _ALL - {S.BROKEROFF}, S.BROKEROFF),
        (E.SET_TEST, _ALL - {S.TEST}, S.TEST),
        (E.SET_OFFLINE, _ALL - {S.OFFLINE}, S.OFFLINE),
        (E.SET_PAUSED, _ALL - {S.PAUSED}, S.PAUSED),
    ],
    Stage.WATCH: [
        (E.EXCLUDE, [S.ONLINE], S.TEST),
        (E.RECOVER, [S.TEST], S.ONLINE),
        (E.BEGIN_DOWNTIME, _ALL - {S.OFFLINE}, S.OFFLINE),
        (E.END_DOWNTIME, [S.OFFLINE], S.ONLINE),
    ],
}
INITIAL, TRANSITIONS, OWNERS = unfold(FLOW)
REOPENING: frozenset[QueueEvent] = frozenset()

DWELL: dict[QueueStatus, Dwell] = {
    status: Dwell(None, None, "entity_event.why", "until an operator, a test or a downtime changes it") for status in QueueStatus
}

QUEUE: Machine[QueueStatus, QueueEvent] = Machine("queue", QueueStatus, QueueEvent, INITIAL, TRANSITIONS, OWNERS, DWELL, REOPENING)
FINAL = QUEUE.final
next_status = QUEUE.next_status
sources = QUEUE.sources
