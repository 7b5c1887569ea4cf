"""From what jobs used to what later jobs are given: rates and limits, with the percentiles of semantics 3.6. Pure.

Where PanDA counts CPU in HS06 seconds, we count wall seconds on the cores that were asked for: our queues have no benchmark of their power.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from pandawms.engine.requirements import Effective

MARGIN = 1.5
"""Wall time is given with half as much again (PanDA's cpuTime)."""
MEMORY_MARGIN = 1.1
"""Memory is given with a tenth more."""
NEAR = 1.1
"""No limit on wall time is set nearer than this to a job that was seen to finish."""
LEAST_MEMORY_MB = 500
"""Nobody is given less memory a core by measuring: nothing is gained by it."""
LEAST_WALL_SECONDS = 600
"""Nor less time (PanDA's baseWalltime)."""
LEAST_EVENTS = 10
"""A rate per event is believed from jobs of so many events a core on."""
LEAST_MB = 10.0
"""A rate per MB is believed from jobs with so much input a core on."""
LONG_SECONDS = 6 * 3600
"""A rate is believed from a job that ran so long, whatever its size."""
TOLD_JOBS = 5
"""Jobs named beside a value."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a job that succeeded used. None: not measured. MB are 2**20 bytes."""

    job_id: int
    wall_seconds: float
    cpu_seconds: float | None = None
    max_rss_mb: float | None = None
    n_units: int = 1
    n_events: int | None = None
    input_mb: float = 0.0
    output_mb: float = 0.0
    work_mb: float | None = None

    @property
    def io_mb_per_second(self) -> float:
        """Bytes read and written per second of the job's life (PanDA's ioIntensity)."""
        return (self.input_mb + self.output_mb) / self.wall_seconds if self.wall_seconds > 0 else 0.0

    def cpu_efficiency(self, cores: int) -> float:
        """The part of its cores that a job used."""
        return (self.cpu_seconds or 0.0) / (self.wall_seconds * cores) if self.wall_seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Quantity:
    """One thing that was measured: its value, how it was taken from how many jobs, which jobs sit at it, what stood there before.

    `is_applied` says whether later jobs are given it.
    """

    name: str
    value: float
    taken: str
    n_jobs: int
    job_ids: tuple[int, ...]
    before: float | None = None
    is_applied: bool = True

    @property
    def text(self) -> str:
        """The value in words."""
        return f"{WORDS.get(self.name, self.name)} {self.value:.4g}" + (f" instead of {self.before:.4g}" if self.before is not None else "")


WORDS = {
    "memory_mb": "memory in MB",
    "wall_seconds": "wall time in s",
    "wall_seconds_per_event": "wall time in s an event",
    "wall_seconds_per_mb": "wall time in s an MB of input",
    "output_mb_per_event": "output in MB an event",
    "output_mb_per_input_mb": "output in MB an MB of input",
    "work_mb": "work disk in MB",
    "cpu_seconds_per_event": "CPU time in s an event",
    "io_mb_per_second": "input and output in MB/s",
    "cpu_efficiency": "lowest CPU efficiency",
}
"""The quantities, as a person reads them."""

Values = list[tuple[float, int]]
"""Values, each with the job that has it."""


def at_percentile(values: Sequence[tuple[float, int]], percent: float) -> tuple[float, tuple[int, ...]]:
    """Returns the value at a percentile and the jobs that have it, by nearest rank: it is always the value of some job. `values` is not empty."""
    ordered = sorted(values)
    value = ordered[max(0, ceil(round(len(ordered) * percent / 100, 6)) - 1)][0]
    return value, tuple(job_id for each, job_id in ordered if each == value)[:TOLD_JOBS]


def quantities(samples: Sequence[Sample], asked: Effective) -> tuple[Quantity, ...]:
    """Returns all that the jobs tell; a quantity that no job measured, or none of a believable size, is missing.

    `asked` is what the task asks for, without what it learned before.
    """
    taken = [maker(samples, asked) for maker in (_memory, _wall_per_event, _wall_per_mb, _wall, _output_per_event, _output_per_mb, _work)]
    told = [_cpu_per_event(samples, asked), _io(samples, asked), _efficiency(samples, asked)]
    return tuple(quantity for quantity in taken + told if quantity is not None)


def learned(measured: Sequence[Quantity]) -> dict[str, Any]:
    """Returns what the task keeps of it: the values that are applied, by the names of resources."""
    return {quantity.name: round(quantity.value) if quantity.name in ("memory_mb", "wall_seconds", "work_mb") else quantity.value
            for quantity in measured if quantity.is_applied}  # fmt: skip


def _taken(name: str, values: Values, percent: float, asked: Effective, *, finish: Callable[[float], float] = float,
           is_applied: bool = True) -> Quantity | None:  # fmt: skip
    if not values:
        return None
    value, job_ids = at_percentile(values, percent)
    before = getattr(asked, name, None)
    how = {100: "largest", 0: "smallest"}.get(int(percent), f"{percent:g}th percentile")
    return Quantity(name, _rounded(finish(value)), how, len(values), job_ids, before, is_applied and not asked.is_fixed)


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def _up(value: float) -> int:
    """Rounds up, but for the noise of the last digits."""
    return ceil(round(value, 6))


def _memory(samples: Sequence[Sample], asked: Effective) -> Quantity | None:
    """75th percentile of (peak - base) / cores x 1.1, for all cores, with the base; at least 500 MB a core, or what was asked for where that is less."""
    values = [(max(0.0, s.max_rss_mb - asked.base_memory_mb) * MEMORY_MARGIN + asked.base_memory_mb, s.job_id) for s in samples if s.max_rss_mb]
    least = min(LEAST_MEMORY_MB * asked.cores, asked.memory_mb)
    return _taken("memory_mb", values, 75, asked, finish=lambda value: _up(max(value, least)))


def _wall_per_event(samples: Sequence[Sample], asked: Effective) -> Quantity | None:
    """95th percentile of max(0, wall - base) x 1.5 / events, from jobs of 10 events a core or of 6 hours."""
    usable = [s for s in samples if s.n_events and (s.n_events >= LEAST_EVENTS * asked.cores or s.wall_seconds >= LONG_SECONDS)]
    return _taken("wall_seconds_per_event", [(_variable(s, asked) / (s.n_events or 1), s.job_id) for s in usable], 95, asked)


def _wall_per_mb(samples: Sequence[Sample], asked: Effective) -> Quantity | None:
    """The same for MB of input, where events are not known."""
    usable = [s for s in samples if not s.n_events and s.input_mb > 0 and (s.input_mb >= LEAST_MB * asked.cores or s.wall_seconds >= LONG_SECONDS)]
    return _taken("wall_seconds_per_mb", [(_variable(s, asked) / s.input_mb, s.job_id) for s in usable], 95, asked)


def _variable(sample: Sample, asked: Effective) -> float:
    return max(0.0, sample.wall_seconds - asked.base_seconds) * MARGIN


def _wall(samples: Sequence[Sample], asked: Effective) -> Quantity | None:
    """95th percentile of wall time x 1.5, but no more than was asked for unless a job came near that, and not less than 10 minutes or 1.1 x the longest.

    It is the limit at which a job is ended, so it is never set within reach of what was seen to finish.
    """
    values = [(s.wall_seconds, s.job_id) for s in samples if s.wall_seconds > 0]
    longest = max((value for value, _ in values), default=0.0)
    least = min(LEAST_WALL_SECONDS, asked.wall_seconds)
    return _taken("wall_seconds", values, 95, asked, finish=lambda value: _up(max(least, NEAR * longest, min(MARGIN * value, asked.wall_seconds))))


def _output_per_event(samples: Sequence[Sample], asked: Effective) -> Quantity | None:
    """75th percentile of output per event, from jobs of at least 10 events."""
    usable = [s for s in samples if s.n_events and s.n_events >= LEAST_EVENTS and s.output_mb > 0]
    return _taken("output_mb_per_event", [(s.output_mb / (s.n_events or 1), s.job_id) for s in usable], 75, asked)


def _output_per_mb(samples: Sequence[Sample], asked: Effective) -> Quantity | None:
    """75th percentile of output per MB of input, where events are not known, from jobs with at least 1 MB."""
    usable = [s for s in samples if not s.n_events and s.input_mb >= 1 and s.output_mb > 0]
    return _taken("output_mb_per_input_mb", [(s.output_mb / s.input_mb, s.job_id) for s in usable], 75, asked)


def _work(samples: Sequence[Sample], asked: Effective) -> Quantity | None:
    """Largest work disk; it never lowers what was asked for."""
    values = [(s.work_mb, s.job_id) for s in samples if s.work_mb]
    return _taken("work_mb", values, 100, asked, finish=lambda value: _up(max(value, asked.work_mb or 0)))


def _cpu_per_event(samples: Sequence[Sample], asked: Effective) -> Quantity | None:
    usable = [s for s in samples if s.n_events and s.cpu_seconds and s.n_events >= LEAST_EVENTS * asked.cores]
    return _taken("cpu_seconds_per_event", [((s.cpu_seconds or 0) / (s.n_events or 1), s.job_id) for s in usable], 95, asked, is_applied=False)


def _io(samples: Sequence[Sample], asked: Effective) -> Quantity | None:
    values = [(s.io_mb_per_second, s.job_id) for s in samples if s.wall_seconds > 0 and s.io_mb_per_second > 0]
    return _taken("io_mb_per_second", values, 100, asked, is_applied=False)


def _efficiency(samples: Sequence[Sample], asked: Effective) -> Quantity | None:
    values = [(s.cpu_efficiency(asked.cores), s.job_id) for s in samples if s.cpu_seconds is not None and s.wall_seconds > 0]
    return _taken("cpu_efficiency", values, 0, asked, is_applied=False)
