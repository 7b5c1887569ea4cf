"""What users and operators may ask of a task, when it is accepted, and which event of the task follows.

Where a command that changes the status is accepted follows from the task's table and is not written down a second time; STAYS adds the
statuses where it changes something else. Decided where PanDA's documents and code disagree: retry on a failed task is accepted, retry on
a broken one never. PanDA's incremental execution (incexec) is called extend; its event and statuses keep their words.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from pandawms.domain.errors import Conflict, Invalid, did_you_mean
from pandawms.domain.machine import Word
from pandawms.domain.task import TASK, TaskEvent, TaskStatus, resume_event


class Verb(Word):
    """The commands for a task."""

    KILL = "kill", "end it and all its jobs"
    FINISH = "finish", "end it with what is there; soft: wait for the jobs that run"
    RETRY = "retry", "process again what failed"
    EXTEND = "extend", "change parameters and go on with new inputs; what was processed stays"
    REASSIGN = "reassign", "send it to another site or queue"
    PAUSE = "pause", "make and hand out no jobs until a resume"
    RESUME = "resume", "go on after a pause, a throttle or a wait for tape"
    AVALANCHE = "avalanche", "end the scouting and make all jobs"
    SET = "set", "change priority, share, queues, memory, wall time or attempts"
    FORK = "fork", "make a copy with changes that shares what is finished"
    RECOVER = "recover", "make lost output files again, here and in the tasks that read them"
    RELEASE = "release", "lift the hold of a workflow on its last task"
    APPROVE = "approve", "let a waiting task start"
    OBSOLETE = "obsolete", "declare its outputs void"


class Permit(Enum):
    """Who may ask."""

    OWNER = "its owner or the production role"
    PRODUCTION = "the production role"


V, E, S = Verb, TaskEvent, TaskStatus

EVENTS: dict[Verb, tuple[TaskEvent, ...]] = {
    V.KILL: (E.KILL,),
    V.FINISH: (E.FINISH,),
    V.RETRY: (E.RETRY,),
    V.EXTEND: (E.INCEXEC,),
    V.REASSIGN: (E.REASSIGN,),
    V.PAUSE: (E.PAUSE,),
    V.RESUME: (E.RESUME, E.RESUME_LISTING, E.RESUME_REFINING),
    V.AVALANCHE: (E.AVALANCHE,),
    V.SET: (),
    V.FORK: (),
    V.RECOVER: (E.RECOVER,),
    V.RELEASE: (),
    V.APPROVE: (E.APPROVE,),
    V.OBSOLETE: (E.OBSOLETE,),
}
"""The events that a command may cause; set, fork and release change no status."""

_WORKING = frozenset({S.READY, S.SCOUTING, S.SCOUTED, S.RUNNING, S.MERGING, S.PENDING, S.THROTTLED, S.PAUSED, S.EXHAUSTED})
_BEFORE = frozenset({S.WAITING, S.STAGING, S.REGISTERED, S.DEFINED, S.ASSIGNING, S.TOPREPROCESS, S.PREPROCESSING})

STAYS: dict[Verb, frozenset[TaskStatus]] = {
    V.SET: _BEFORE | _WORKING,
    V.FORK: _WORKING | {S.FINISHING, S.DONE, S.FINISHED, S.FAILED, S.ABORTED},
    V.RECOVER: _WORKING - {S.EXHAUSTED},
    V.RELEASE: frozenset({S.SCOUTING, S.PENDING, S.RUNNING, S.READY, S.ASSIGNING, S.DEFINED}),
}
"""Statuses of a task in which a command is accepted and leaves the status as it is."""

WHO_MAY: dict[Verb, Permit] = {
    **dict.fromkeys((V.KILL, V.FINISH, V.RETRY, V.EXTEND, V.REASSIGN, V.PAUSE, V.RESUME, V.SET, V.FORK, V.RECOVER, V.OBSOLETE), Permit.OWNER),
    **dict.fromkeys((V.AVALANCHE, V.RELEASE, V.APPROVE), Permit.PRODUCTION),
}
"""PanDA keeps pause, resume and obsolete for production; here an owner may pause, resume and void what is theirs."""

QUALIFIERS: dict[Verb, frozenset[str]] = {
    V.FINISH: frozenset({"soft"}),
    V.RETRY: frozenset({"sole", "keep", "transcend"}),
    V.REASSIGN: frozenset({"soft", "nokill"}),
    V.RECOVER: frozenset({"sole"}),
    V.OBSOLETE: frozenset({"sole"}),
}
"""Words that change how a command works: PanDA's, of which discard and staged come with event ranges and tape."""


@dataclass(frozen=True)
class Command:
    """A command as it was asked: for which task, by whom, with which qualifiers and why."""

    verb: Verb
    task_id: int
    user_id: int
    qualifiers: frozenset[str] = frozenset()
    reason: str = ""

    def __post_init__(self) -> None:
        check_qualifiers(self.verb, self.qualifiers)


def check_qualifiers(verb: Verb, words: Collection[str]) -> None:
    """Do nothing when `verb` knows all these qualifiers; otherwise raise Invalid with a suggestion."""
    unknown = set(words) - QUALIFIERS.get(verb, frozenset())
    if unknown:
        raise _unknown_qualifier(verb, min(unknown))


def accepted_in(verb: Verb) -> frozenset[TaskStatus]:
    """The statuses of a task in which `verb` is accepted."""
    return STAYS.get(verb, frozenset()).union(*(TASK.sources(event) for event in EVENTS[verb]))


def accepting(status: TaskStatus) -> tuple[Verb, ...]:
    """The commands that a task in `status` takes, in the order of the verbs."""
    return tuple(verb for verb in Verb if status in accepted_in(verb))


def check_accepted(verb: Verb, status: TaskStatus) -> None:
    """Do nothing when `verb` is accepted in `status`; otherwise raise Conflict, naming where it would be and what helps."""
    statuses = accepted_in(verb)
    if status in statuses:
        return
    raise Conflict(
        f"A task in status {status} does not take {verb}.",
        code="command_not_accepted",
        field="status",
        value=str(status),
        allowed=", ".join(str(other) for other in TaskStatus if other in statuses),
        hint=_hint(verb, status),
    )


def event_for(verb: Verb, status: TaskStatus, previous_status: TaskStatus | None = None) -> TaskEvent | None:
    """The event of the task that `verb` causes in `status`; None when it changes no status. Raises Conflict as `check_accepted`.

    For resume, `previous_status` is the status that the pause interrupted.
    """
    check_accepted(verb, status)
    if verb is V.RESUME and status is S.PAUSED and previous_status is not None:
        return resume_event(previous_status)
    return next((event for event in EVENTS[verb] if status in TASK.sources(event)), None)


def _hint(verb: Verb, status: TaskStatus) -> str | None:
    if TASK.is_final(status) and verb in (V.KILL, V.FINISH, V.PAUSE, V.SET, V.REASSIGN):
        return "The task has ended; there is nothing left to stop or to change."
    if verb is V.RETRY and status in (S.BROKEN, S.ABORTED):
        return "Correct the task file and submit it again."
    if verb is V.RETRY and status in (S.DONE, S.OBSOLETE):
        return "Nothing failed in it; submit a new task to process the inputs again."
    if verb is V.RETRY:
        return "Wait until the task has ended; failed inputs are tried again by themselves while attempts are left."
    if verb is V.RESUME:
        return "Only what was paused, throttled or waits for tape can be resumed."
    if verb is V.EXTEND:
        return "Wait until the task has ended, or end it with finish; then extend it."
    return None


def _unknown_qualifier(verb: Verb, word: str) -> Invalid:
    known = sorted(QUALIFIERS.get(verb, frozenset()))
    near = did_you_mean(word, known)
    return Invalid(
        f"{verb} has no qualifier {word!r}.",
        code="unknown_qualifier",
        field="qualifiers",
        value=word,
        allowed=", ".join(known) or "none",
        hint=f"Did you mean {near}?" if near else None,
    )
