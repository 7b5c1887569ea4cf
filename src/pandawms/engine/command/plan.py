"""Decides what a command does to a task and to each of its jobs in their present status. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from pandawms.domain.codes import Code
from pandawms.domain.command import QUALIFIERS, Verb, event_for
from pandawms.domain.errors import PandaError
from pandawms.domain.file import FileStatus
from pandawms.domain.job import JOB, LEASED, QUEUED, SETTLING, JobStatus
from pandawms.domain.task import TASK, TaskEvent, TaskStatus

HOT = QUEUED | LEASED | SETTLING


class Fate(StrEnum):
    """What a command does to one job."""

    CANCEL = "cancelled"
    CLOSE = "closed"
    TELL = "told"
    HOLD = "held"
    FREE = "freed"
    CHANGE = "changed"
    LEAVE = "left"


WORDS: Mapping[Fate, str] = {
    Fate.CANCEL: "{} job{s} ended",
    Fate.CLOSE: "{} waiting job{s} withdrawn",
    Fate.TELL: "the pilots of {} job{s} told to stop",
    Fate.HOLD: "{} ready job{s} held",
    Fate.FREE: "{} job{s} ready again",
    Fate.CHANGE: "{} waiting job{s} changed",
}


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the command is taken, the event of the task (None when its status stays), and a sentence for whoever asked."""

    is_taken: bool
    event: TaskEvent | None
    answer: str


def for_task(verb: Verb, status: TaskStatus, previous_status: str | None, *, is_automatic: bool = False) -> Decision:
    """Returns what a command does to a task; a command that no longer fits is refused with the reason. `is_automatic`: watch asked for this finish."""
    if is_automatic and status in TASK.sources(TaskEvent.AUTO_FINISH):
        return Decision(True, TaskEvent.AUTO_FINISH, f"applied to a task in status {status}")
    try:
        event = event_for(verb, status, TaskStatus(previous_status) if previous_status else None)
    except PandaError as error:
        return Decision(False, None, f"refused: {error.detail}")
    return Decision(True, event, f"applied to a task in status {status}")


def fate(verb: Verb, qualifiers: Collection[str], status: JobStatus, kind: str) -> Fate:
    """Returns what a command does to a job: the whole matrix of commands and statuses of jobs.

    Merge jobs, and jobs that wait for one, are work that has been done: only a kill ends them. It ends the merge jobs; jobs that wait in `merging` end when
    these have, by aggregate, since a pilot may report a merge before it is told to stop.
    """
    if status not in HOT:
        return Fate.LEAVE
    if verb is Verb.KILL:
        if status is JobStatus.MERGING:
            return Fate.LEAVE
        return Fate.TELL if status in LEASED else Fate.CANCEL
    if verb is Verb.PAUSE:
        return Fate.HOLD if status is JobStatus.ACTIVATED else Fate.LEAVE
    if verb is Verb.RESUME:
        return Fate.FREE if status is JobStatus.THROTTLED else Fate.LEAVE
    if verb is Verb.SET:
        return Fate.CHANGE if status in QUEUED else Fate.LEAVE
    if kind == "merge" or status in SETTLING:
        return Fate.LEAVE
    if verb is Verb.FINISH:
        return _finished(qualifiers, status)
    return _reassigned(qualifiers, status) if verb is Verb.REASSIGN else Fate.LEAVE


def _finished(qualifiers: Collection[str], status: JobStatus) -> Fate:
    if "soft" in qualifiers:
        return Fate.CLOSE if status in QUEUED else Fate.LEAVE
    return Fate.CANCEL if status in QUEUED else Fate.TELL


def _reassigned(qualifiers: Collection[str], status: JobStatus) -> Fate:
    """A job that runs is ended at once, as its inputs go elsewhere: its pilot finds that it is gone."""
    if "nokill" in qualifiers:
        return Fate.LEAVE
    if status in QUEUED:
        return Fate.CLOSE
    return Fate.LEAVE if "soft" in qualifiers else Fate.CANCEL


@cache
def swept(verb: Verb, qualifiers: frozenset[str]) -> frozenset[JobStatus]:
    """Returns the statuses of jobs to which a command does something."""
    return frozenset(s for s in JobStatus if not JOB.is_final(s) and any(fate(verb, qualifiers, s, k) is not Fate.LEAVE for k in ("run", "merge", "build")))


def ending_code(verb: Verb, what: Fate) -> Code:
    """Returns as what jobs end that a command ends."""
    if verb is Verb.REASSIGN:
        return Code.REBROKERED
    return Code.KILLED if what is Fate.CANCEL else Code.TASK_DONE


def qualifiers(verb: Verb, arguments: Mapping[str, Any]) -> frozenset[str]:
    """Returns the qualifiers that are given among the arguments of a command."""
    return frozenset(word for word in QUALIFIERS.get(verb, ()) if arguments.get(word))


REOPENED: Mapping[str, frozenset[FileStatus]] = {
    "failed": frozenset({FileStatus.FAILED, FileStatus.CANCELLED}),
    "missing": frozenset({FileStatus.MISSING}),
    "lost": frozenset({FileStatus.LOST, FileStatus.CORRUPTED, FileStatus.BROKEN}),
}
"""What a retry may be asked to open again."""


def reopened(only: Collection[str]) -> frozenset[FileStatus]:
    """Returns the statuses of units that a retry of these kinds opens again; «all» and nothing at all mean everything that is not processed."""
    kinds = REOPENED.keys() if not only or "all" in only else only
    return frozenset().union(*(REOPENED[kind] for kind in kinds))


def told(counts: Mapping[str, int]) -> str:
    """Returns what was done to jobs in words, such as «3 jobs ended, the pilots of 2 jobs told to stop»."""
    parts = [WORDS[each].format(f"{counts[each]:,}", s="" if counts[each] == 1 else "s") for each in WORDS if counts.get(each)]
    return ", ".join(parts) or "no job was concerned"
