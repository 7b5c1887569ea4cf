"""How memory, wall time and the number of inputs change from one attempt to the next. Pure."""

from collections.abc import Mapping
from math import ceil

STEPS_MB = (1000, 2000, 3000, 4000, 6000, 8000)
"""Memory of a core, in MB: a raise goes to the next of these (PanDA's increase_memory, semantics 3.9)."""

FACTOR = 1.5
"""PanDA's increase_cputime (semantics 3.9)."""

TOO_MANY_RAISED = 0.3
"""When a larger part of a task's units was raised, the task is raised (semantics 3.9)."""

PARTS = ((7, 0), (4, 4), (2, 2))
"""From which attempt on a job has which part (1/n; 0: a single one) of the units that it had at first (PanDA's reduce_input_per_job, semantics 3.9)."""


def stepped_memory_mb(memory_mb: int, cores: int) -> int:
    """Returns the memory of a job at the next step for a core, or what it had where no step is higher."""
    return next((step * cores for step in STEPS_MB if step * cores > memory_mb), memory_mb)


def linear_memory_mb(offset_mb: int, step_mb: int, attempt: int) -> int:
    """Returns offset + step x attempt (PanDA's increase_memory_xtimes)."""
    return offset_mb + step_mb * attempt


def bounded(value: int, *bounds: int | None) -> int:
    """Returns the value, or the smallest of the bounds that are given where it is smaller."""
    return min([value, *(bound for bound in bounds if bound is not None)])


def longer_seconds(wall_seconds: int, factor: float) -> int:
    """Returns the wall time that follows on this one, in whole minutes where it is longer than one, so that jobs share a class of requirements."""
    longer = ceil(wall_seconds * factor)
    return longer if longer < 60 else -(-longer // 60) * 60


def fewer_units(attempt: int, n_units: int, before: int | None) -> int | None:
    """Returns how many units the next job may have after this attempt, `before` where nothing changes.

    `n_units` is how many the job had; `before` the limit that an earlier reduction has set, which a later one goes on from.
    """
    part = next((part for since, part in PARTS if attempt >= since), None)
    if part is None:
        return before
    if part == 0:
        return 1
    if before is None:
        return max(1, n_units // part)
    return max(1, before // 2) if attempt == 4 else before


def task_memory_mb(raised: Mapping[int, int], n_units: int, memory_mb: int) -> int | None:
    """Returns the memory that the whole task is raised to; None when no more than 30 % of its units were raised above what it has.

    It is the lowest that leaves at most that part above it. `raised` counts units by the memory that they were raised to.
    """
    allowed, above = TOO_MANY_RAISED * n_units, 0
    for level in sorted((level for level in raised if level > memory_mb), reverse=True):
        above += raised[level]
        if above > allowed:
            return level
    return None
