"""How large a job may be: every limit as a bound on a sum over its units. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Any

import msgspec

from pandawms.domain.machine import Word
from pandawms.engine.requirements import Effective
from pandawms.wire.document import SplitSpec
from pandawms.wire.document_view import max_files_per_job

MB = 1 << 20
"""Bytes of a megabyte, as the pilot counts disk and memory."""
MOST_FILES = 10_000
"""Files of all inputs of one job (PanDA: 1,000); as many as a document may ask for."""


class Reason(Word):
    """Why a job was closed, or a unit is in none."""

    END = "end", "no more units"
    FILES = "files", "files_per_job"
    MAX_FILES = "max_files", "max_files_per_job"
    EVENTS = "events", "events_per_job"
    EVENTS_UNKNOWN = "events_unknown", "a file whose events are not known, under events_per_job"
    SIZE = "size", "mb_per_job"
    OUTPUT = "output", "output_mb_per_job"
    WALL_TIME = "wall_time", "wall_seconds_per_job"
    PART = "part", "n_jobs"
    GROUP = "group", "boundary"
    CHUNK = "chunk", "events that do not follow each other in one file"
    AGAIN = "again", "fresh units do not join units that were tried before"
    RAISED = "raised", "a retry rule gave the next unit other needs"
    FEWER = "fewer", "a retry rule asked for fewer units in a job"
    QUEUE_DISK = "queue_disk", "the disk of the queue"
    QUEUE_WALL_TIME = "queue_wall_time", "the wall time of the queue"
    QUEUE_MEMORY = "queue_memory", "a retry rule gave it more memory or wall time than a slot of the queue has"
    ALL_FILES = "all_files", "files of all inputs together"
    MAX_JOBS = "max_jobs", "max_jobs"
    EXHAUSTED = "exhausted", "a secondary input has no more files"
    GROWING = "growing", "more input may come"
    MORE_UNITS = "more_units", "more units are ready behind these"
    SECONDARY_GROWING = "secondary_growing", "more files of a secondary input may come"
    SCOUTS = "scouts", "its scouts are measured first"


@dataclass(frozen=True, slots=True)
class Limit:
    """A job has at most: base + per_unit x units + per_event x events + per_byte x bytes <= most.

    A hard limit is one of the place where the job would run: a unit that passes it alone is refused. Any other limit is the task's own wish: such a unit is
    a job alone. With `is_of_all_files`, `per_unit` counts the files of secondary inputs, too.
    """

    reason: Reason
    most: float
    base: float = 0
    per_unit: float = 0
    per_event: float = 0
    per_byte: float = 0
    is_hard: bool = False
    is_of_all_files: bool = False

    def used(self, n_units: float, n_events: float, n_bytes: float) -> float:
        """Returns how much of the limit a job uses."""
        return self.base + self.per_unit * n_units + self.per_event * n_events + self.per_byte * n_bytes


@dataclass(frozen=True, slots=True)
class Room:
    """What one slot of a queue gives to a job."""

    disk_mb: float = inf
    wall_seconds: float = inf


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything by which a task is cut for one queue. `parts` is n_jobs with the number of units that it divides, once that is known.

    `is_regular` says that only the number of units closes a job, as long as the queue has room: then the estimate is exact.
    """

    limits: tuple[Limit, ...] = ()
    parts: tuple[int, int] | None = None
    one_job_per_group: bool = False
    is_regular: bool = False

    @property
    def counts_events(self) -> bool:
        """Whether events are limited, so that a file whose events are not known is alone."""
        return any(limit.reason == Reason.EVENTS for limit in self.limits)


def learned_split(split: SplitSpec, learned: Mapping[str, Any]) -> SplitSpec:
    """Returns the split after the scouts: when they were too short (`larger_jobs`), its number of files and its size count no more."""
    if not learned.get("larger_jobs"):
        return split
    most = max(split.max_files_per_job or 0, int(learned.get("max_files_per_job") or max_files_per_job(split)))
    return msgspec.structs.replace(split, files_per_job=None, mb_per_job=None, max_files_per_job=min(most, MOST_FILES))


def rules(split: SplitSpec, resources: Effective, room: Room | None = None, n_units: int | None = None, *, larger_jobs: bool = False) -> Rules:
    """Returns the rules of a task for a queue with this room (None: any queue); `n_units` is the number of units that `n_jobs` divides.

    A limit of which nothing is known (no rate of output, of wall time) is left out. `larger_jobs` says that one file a job is not enough though the split
    names no size.
    """
    boundary = split.boundary
    is_whole_group = boundary is not None and boundary.one_job_per_group
    parts = (split.n_jobs, n_units) if split.n_jobs is not None and n_units else None
    wanted = [] if is_whole_group else [*_files(split, larger_jobs), *_wishes(split, resources)]
    known = [limit for limit in (*wanted, *_hard(resources, room)) if limit.per_unit or limit.per_event or limit.per_byte]
    is_regular = boundary is None and split.n_jobs is None and all(limit.reason in (Reason.FILES, Reason.MAX_FILES) or limit.is_hard for limit in known)
    return Rules(tuple(known), parts, is_whole_group, is_regular)


def estimate(rules: Rules, mean_bytes: float, mean_events: float) -> int:
    """Returns how many units of this mean size make a job, 1 at least. For shares and forecasts; the cut itself decides."""
    found: float = MOST_FILES
    for limit in rules.limits:
        each = limit.used(1, mean_events, mean_bytes) - limit.base
        if each > 0:
            found = min(found, (limit.most - limit.base) / each)
    if rules.parts is not None:
        n_jobs, n_units = rules.parts
        found = min(found, -(-n_units // n_jobs))
    return max(1, int(found + 1e-9))


def lenient(rules: Rules) -> Rules:
    """Returns the rules for a unit that is too large for every queue as far as it can be foreseen: only what is known (the bytes of its input) still counts."""
    known = [replace(limit, base=0, per_event=0, per_byte=1) if limit.reason == Reason.QUEUE_DISK else limit for limit in rules.limits]
    return replace(rules, limits=tuple(limit for limit in known if limit.reason != Reason.QUEUE_WALL_TIME))


def has_room(resources: Effective, room: Room, n_events: int, n_bytes: int) -> bool:
    """Whether a job of this size fits into a slot with this room, as far as it can be foreseen."""
    return all(limit.used(1, n_events, n_bytes) <= limit.most for limit in _hard(resources, room) if not limit.is_of_all_files)


def largest_job(rules: Rules) -> int:
    """Returns how many units a job has at most: a window of more than these holds a whole job, if it does not hold all units that are ready."""
    found: float = MOST_FILES
    for limit in rules.limits:
        if limit.per_unit:
            found = min(found, (limit.most - limit.base) / limit.per_unit)
    if rules.parts is not None:
        n_jobs, n_units = rules.parts
        found = min(found, -(-n_units // n_jobs))
    return max(1, int(found))


def _files(split: SplitSpec, larger_jobs: bool) -> list[Limit]:
    """The number of primary units. A task that names no size gets one file a job; n_jobs is bounded by max_files_per_job only where that is given."""
    sizes = (split.events_per_job, split.mb_per_job, split.n_jobs, split.output_mb_per_job, split.wall_seconds_per_job, split.boundary)
    found = []
    if split.files_per_job is not None:
        found.append(Limit(Reason.FILES, split.files_per_job, per_unit=1))
    elif all(size is None for size in sizes) and not larger_jobs:
        found.append(Limit(Reason.FILES, 1, per_unit=1))
    if split.n_jobs is None or split.max_files_per_job is not None:
        found.append(Limit(Reason.MAX_FILES, max_files_per_job(split), per_unit=1))
    return found


def _wishes(split: SplitSpec, resources: Effective) -> list[Limit]:
    found = []
    if split.events_per_job is not None:
        found.append(Limit(Reason.EVENTS, split.events_per_job, per_event=1))
    if split.mb_per_job is not None:
        found.append(_disk(Reason.SIZE, split.mb_per_job, resources))
    if split.output_mb_per_job is not None:
        per_event, per_byte = _output(resources)
        found.append(Limit(Reason.OUTPUT, split.output_mb_per_job, per_event=per_event, per_byte=per_byte))
    if split.wall_seconds_per_job is not None:
        found.append(_wall(Reason.WALL_TIME, split.wall_seconds_per_job, resources))
    return found


def _hard(resources: Effective, room: Room | None) -> list[Limit]:
    """What the place has; a wall time of which no rate is known does not count."""
    found = [Limit(Reason.ALL_FILES, MOST_FILES, per_unit=1, is_hard=True, is_of_all_files=True)]
    if room is not None:
        found.append(_disk(Reason.QUEUE_DISK, room.disk_mb, resources, is_hard=True))
        found.append(_wall(Reason.QUEUE_WALL_TIME, room.wall_seconds, resources, is_hard=True))
    return [limit for limit in found if limit.most != inf]


def _disk(reason: Reason, most_mb: float, resources: Effective, *, is_hard: bool = False) -> Limit:
    """Input + predicted output + work disk, counted in bytes so that sums of sizes are exact."""
    per_event, per_byte = _output(resources)
    return Limit(reason, most_mb * MB, base=(resources.work_mb or 0) * MB, per_event=per_event * MB, per_byte=1 + per_byte * MB, is_hard=is_hard)


def _wall(reason: Reason, most_seconds: float, resources: Effective, *, is_hard: bool = False) -> Limit:
    per_event, per_mb = resources.wall_seconds_per_event or 0, resources.wall_seconds_per_mb or 0
    return Limit(reason, most_seconds, base=resources.base_seconds, per_event=per_event, per_byte=per_mb / MB, is_hard=is_hard)


def _output(resources: Effective) -> tuple[float, float]:
    """Output in MB per event and per byte of input: by events where that rate is known (semantics 3.6)."""
    if resources.output_mb_per_event:
        return resources.output_mb_per_event, 0
    return 0, (resources.output_mb_per_input_mb or 0) / MB
