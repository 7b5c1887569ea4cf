"""Decides which outputs are merged together, and when and how a task ends. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from pandawms.domain.task import TaskEvent, TaskStatus
from pandawms.store.merges import Unmerged
from pandawms.store.units import Progress

FLOWING = frozenset({TaskStatus.READY, TaskStatus.SCOUTED, TaskStatus.RUNNING, TaskStatus.MERGING, TaskStatus.PENDING, TaskStatus.THROTTLED})
"""Statuses from which a task whose inputs are settled is prepared for its verdict."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a task ends: the event, and the numbers that say why."""

    event: TaskEvent
    numbers: dict[str, Any]


def merge_groups(files: Sequence[Unmerged], files_per_job: int | None, *, is_last: bool) -> list[list[Unmerged]]:
    """Cuts outputs that wait into groups, each of one queue and one job's output after the other.

    Full groups are made at once; what is left over, or everything when there is no limit, when `is_last`: no more will come.
    """
    found = []
    for _queue, mine in groupby(sorted(files, key=lambda f: (f.queue_id, f.job_id, f.n)), key=lambda f: f.queue_id):
        waiting = list(mine)
        size = files_per_job or len(waiting)
        cut = [waiting[i : i + size] for i in range(0, len(waiting), size)]
        if not is_last and (files_per_job is None or len(cut[-1]) < size):
            cut = cut[:-1] if files_per_job else []
        found += cut
    return found


def is_settled(progress: Progress) -> bool:
    """True when every unit of the input has its last word and no job is left."""
    return progress.is_complete and progress.n_finished + progress.n_failed == progress.n_listed and not progress.has_jobs


def is_last_of_run_jobs(progress: Progress) -> bool:
    """True when no run job will write more outputs: all input is listed, no unit is open, and what is hot only waits to be merged."""
    return progress.is_complete and not progress.has_waiting_units and not progress.has_working_jobs


def verdict(progress: Progress) -> Verdict:
    """All units finished: done; some: finished; none: failed (PanDA's post-processing, semantics 3.10, without a goal)."""
    numbers = {
        "inputs": progress.n_listed, "finished": progress.n_finished, "failed": progress.n_failed,
        "events": progress.n_events, "events_finished": progress.n_events_finished,
    }  # fmt: skip
    if progress.n_finished == 0:
        return Verdict(TaskEvent.FAIL, numbers | ({"text": "there was no input"} if progress.n_listed == 0 else {}))
    return Verdict(TaskEvent.COMPLETE if progress.n_failed == 0 else TaskEvent.COMPLETE_PARTLY, numbers)
