"""From a task to the rules by which it is cut, and to what the broker needs to know of its jobs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pandawms.domain.task import TaskStatus
from pandawms.engine.requirements import effective
from pandawms.engine.splitting.limits import Room, Rules, estimate, learned_split, rules
from pandawms.store.splitting import Course
from pandawms.store.units import TaskDataset
from pandawms.wire.document import SplitSpec, TaskDocument
from pandawms.wire.document_view import is_by_whole_group, primary


@dataclass(frozen=True, slots=True)
class Outlook:
    """How a task will be cut as far as that can be said from its counters: units of a job, and jobs of all that is listed."""

    units_per_job: int
    n_jobs: int
    is_regular: bool
    needs_all: bool


def split_of(document: TaskDocument, learned: Mapping[str, Any]) -> SplitSpec:
    """Returns by what units are put together: chunks of an events input are jobs already."""
    if primary(document)[1].count is not None:
        return SplitSpec(files_per_job=1)
    return learned_split(document.split, learned)


def rules_of(document: TaskDocument, learned: Mapping[str, Any], ordered: Mapping[str, Any], source: TaskDataset, room: Room | None = None) -> Rules:
    """Returns the rules of a task for a queue with this room (None: any); `source` is its primary input."""
    resources = effective(document.resources, learned, ordered)
    n_units = source.n_listed if source.is_complete else None
    return rules(split_of(document, learned), resources, room, n_units, larger_jobs=bool(learned.get("larger_jobs")))


def needs_all(document: TaskDocument) -> bool:
    """Whether no job can be made before the whole input is known: equal parts, and groups that are one job."""
    return document.split.n_jobs is not None or is_by_whole_group(document)


def outlook(document: TaskDocument, learned: Mapping[str, Any], ordered: Mapping[str, Any], source: TaskDataset) -> Outlook:
    """Returns how a task will be cut, from the mean size and the mean events of its units."""
    by = rules_of(document, learned, ordered, source)
    mean_bytes = (source.dataset_bytes or 0) / source.dataset_files if source.dataset_files else 0.0
    mean_events = source.n_events / source.n_listed if source.n_listed else 0.0
    each = estimate(by, mean_bytes, mean_events)
    n_jobs = -(-source.n_listed // each)
    return Outlook(each, min(n_jobs, document.split.max_jobs or n_jobs), by.is_regular, needs_all(document))


def may_scout(document: TaskDocument, status: str, ordered: Mapping[str, Any]) -> bool:
    """Whether it is to be asked if only scouts may be made: the document wants them, and the task is where they are made."""
    return document.scouts.jobs > 0 and not ordered.get("avalanche") and status in (TaskStatus.READY, TaskStatus.SCOUTING)


def scouts(document: TaskDocument, status: str, course: Course, n_jobs: int) -> int | None:
    """Returns how many first attempts may still be made as scouts; None when the task needs no scouts (any more)."""
    if status == TaskStatus.READY and (course.is_judged or n_jobs < document.scouts.from_jobs):
        return None
    return max(0, document.scouts.jobs - course.n_first)
