"""How long a task will still take, as a range. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import quantiles

from pandawms.store.tasks import Ended

FEWEST = 3
"""Finished jobs below which nothing can be said."""
RECENT = 50
"""Finished jobs that are looked at: a task's later jobs may differ from its first."""


@dataclass(frozen=True, slots=True)
class Range:
    """From the hopeful to the cautious estimate, in seconds."""

    low_seconds: float
    high_seconds: float


def estimate(jobs_left: int, slots: int, ended: Sequence[Ended], now: datetime) -> Range | None:
    """Returns how long `jobs_left` more jobs take, `slots` at a time, as the newest finished ones (newest first) went; None when that is unknown.

    Two ways are taken and the range spans both: rounds of jobs times the quartiles of their wall time, and jobs over the rate at which they ended lately.
    A pause since the last end makes the rate slower. Nothing is promised by a task without running jobs.
    """
    walls = sorted(job.wall_seconds for job in ended if job.wall_seconds is not None)
    if jobs_left <= 0 or slots <= 0 or len(walls) < FEWEST:
        return None
    rounds = -(-jobs_left // slots)
    lower, _, upper = quantiles(walls, n=4, method="inclusive")
    guesses = [rounds * lower, rounds * upper, *_by_rate(jobs_left, ended, now)]
    return Range(round(min(guesses), 1), round(max(guesses), 1))


def _by_rate(jobs_left: int, ended: Sequence[Ended], now: datetime) -> list[float]:
    times = sorted(job.ended_at for job in ended)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    span = max(now - times[0], timedelta(0)) if gaps else timedelta(0)
    return [jobs_left * span.total_seconds() / len(times)] if span else []
