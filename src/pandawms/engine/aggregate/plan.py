"""Decides which outputs are merged together, and when the input of a task is settled. Pure."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from math import inf

from pandawms.domain.task import TaskStatus
from pandawms.store.merges import Unmerged
from pandawms.store.units import Progress

TRIED_AGAIN = frozenset({
    TaskStatus.READY, TaskStatus.SCOUTING, TaskStatus.SCOUTED, TaskStatus.RUNNING, TaskStatus.MERGING, TaskStatus.PENDING, TaskStatus.THROTTLED,
})  # fmt: skip
"""Statuses in which failed units are tried again; from all but scouting a task whose inputs are settled is prepared for its verdict."""
MERGED = TRIED_AGAIN | {TaskStatus.FINISHING}
"""Statuses in which outputs are merged."""
MB = 2**20


def merge_groups(files: Sequence[Unmerged], files_per_job: int | None, mb_per_job: int | None = None, *, is_last: bool) -> list[list[Unmerged]]:
    """Cuts outputs that wait into groups, each of one queue and one job's output after the other; one that is larger than a group may be is alone.

    What one job wrote (a file for each of its payloads, where it has several) stays together, as a job ends as its merge does.

    Full groups are made at once; what is left over, or everything when there is no limit, when `is_last`: no more will come.
    """
    most_files, most_bytes = files_per_job or inf, inf if mb_per_job is None else mb_per_job * MB
    found = []
    for _queue, mine in groupby(sorted(files, key=lambda f: (f.queue_id, f.job_id, f.n)), key=lambda f: f.queue_id):
        cut = _cut(mine, most_files, most_bytes)
        last = cut[-1]
        if not is_last and len(last) < most_files and _size(last) < most_bytes:
            cut.pop()
        found += cut
    return found


def _cut(files: Iterable[Unmerged], most_files: float, most_bytes: float) -> list[list[Unmerged]]:
    cut: list[list[Unmerged]] = [[]]
    size_bytes = 0
    for _job, its in groupby(files, key=lambda f: f.job_id):
        mine = list(its)
        if cut[-1] and (len(cut[-1]) + len(mine) > most_files or size_bytes + _size(mine) > most_bytes):
            cut.append([])
            size_bytes = 0
        cut[-1] += mine
        size_bytes += _size(mine)
    return cut


def _size(files: Iterable[Unmerged]) -> int:
    return sum(file.size_bytes for file in files)


def is_settled(progress: Progress) -> bool:
    """True when every unit of the input has its last word and no job is left."""
    return progress.is_complete and progress.n_finished + progress.n_failed == progress.n_listed and not progress.has_jobs


def is_last_of_run_jobs(progress: Progress) -> bool:
    """True when no run job will write more outputs: all input is listed, no unit is open, and what is hot only waits to be merged."""
    return progress.is_complete and not progress.has_waiting_units and not progress.has_working_jobs
