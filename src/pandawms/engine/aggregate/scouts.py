"""Decides what the scouts of a task have shown: whether enough have ended, what jobs need, and whether to go on. Pure (semantics 3.6)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from math import ceil
from typing import Any

from pandawms.engine.aggregate.measuring import Quantity, Sample, learned, quantities
from pandawms.engine.requirements import Effective
from pandawms.engine.services import ScoutLimits

SHORT_PART = 0.5
"""The part of the jobs that must be too short."""
INEFFICIENT_PART = 0.5
"""The part of the jobs that must be inefficient."""


class Standing(Enum):
    """Where the scouts of a task stand."""

    WAIT = "some have not ended, and too few have succeeded yet"
    ENOUGH = "enough have succeeded"
    FEW = "all have ended; fewer than asked for have succeeded, but at least half of that"
    NONE = "all have ended, and hardly any has succeeded, or none"


@dataclass(frozen=True, slots=True)
class Window:
    """The scouts of a task: how many are wanted and were made, how many succeeded, whether one may still end, or be tried again, or be made."""

    n_wanted: int
    n_made: int
    n_finished: int
    is_open: bool
    success: float

    @property
    def target(self) -> int:
        """How many must succeed: a part of those wanted, or of those made where the input has no more."""
        n = self.n_wanted if self.is_open else self.n_made
        return ceil(round(n * self.success, 6))

    @property
    def standing(self) -> Standing:
        """Enough is enough at once (PanDA's early avalanche, 5 of 10); too few is known when all have ended for good."""
        if self.target and self.n_finished >= self.target:
            return Standing.ENOUGH
        if self.is_open:
            return Standing.WAIT
        if self.n_finished >= self.target:
            return Standing.ENOUGH
        return Standing.NONE if self.n_finished == 0 or 2 * self.n_finished < self.target else Standing.FEW


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that the scouts showed and that a person should know: a stable code, a sentence, the numbers, the jobs that showed it.

    `is_abnormal` findings make the task exhausted.
    """

    code: str
    text: str
    limit: float | None = None
    value: float | None = None
    job_ids: tuple[int, ...] = ()
    is_abnormal: bool = True


@dataclass(frozen=True, slots=True)
class Case:
    """What the scouts are judged by: the samples of those that succeeded, what the task asks for, how many jobs are to come.

    `may_be_larger` says whether later jobs may take more files than the scouts did, up to `larger_files`: the document does not fix its resources, its input
    is files, and it was not tried before. `was_enlarged` says that it was.
    """

    samples: Sequence[Sample]
    asked: Effective
    further_jobs: int
    larger_files: int
    may_be_larger: bool = False
    was_enlarged: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """What follows: scouted, exhausted or broken (`measured` at a later measurement), what was measured, what the task learns, what was found."""

    verdict: str
    quantities: tuple[Quantity, ...]
    learned: dict[str, Any]
    findings: tuple[Finding, ...]

    @property
    def text(self) -> str:
        """The verdict in one sentence."""
        abnormal = [finding.text for finding in self.findings if finding.is_abnormal]
        if abnormal:
            return "; ".join(abnormal)
        applied = "; ".join(quantity.text for quantity in self.quantities if quantity.is_applied)
        return applied or "nothing was measured that could be used; what was asked for stays"


def judge(window: Window, case: Case, limits: ScoutLimits) -> Judgement:
    """Returns what the scouts have shown, when they stand anywhere else than at WAIT."""
    found = tuple(_of_window(window, case, limits)) or tuple(_abnormal(case, limits))
    measured = quantities(case.samples, case.asked)
    if window.standing is Standing.NONE:
        return Judgement("broken", measured, {}, found)
    return Judgement("exhausted" if any(f.is_abnormal for f in found) else "scouted", measured, _learned(measured, case, found), found)


def measure_again(case: Case, limits: ScoutLimits) -> Judgement:
    """Returns what a hundred more jobs have shown: new values; exhausted only when jobs are still short after they were made larger.

    Everything else abnormal is told and does not stop a task again that a person, or the first measurement, let go on.
    """
    found = tuple(_abnormal(case, limits))
    measured = quantities(case.samples, case.asked)
    is_short = case.was_enlarged and any(f.code == "scouts.short" and f.is_abnormal for f in found)
    return Judgement("exhausted" if is_short else "measured", measured, _learned(measured, case, found), found)


def _learned(measured: Sequence[Quantity], case: Case, found: Sequence[Finding]) -> dict[str, Any]:
    """Returns what the task keeps. Where no rate is known, jobs that are made larger get a limit on wall time that grows with the number of their files."""
    values, is_enlarged = learned(measured), any(f.code == "scouts.enlarged" for f in found)
    if is_enlarged and "wall_seconds" in values and not values.keys() & {"wall_seconds_per_event", "wall_seconds_per_mb"}:
        values["wall_seconds"] *= ceil(case.larger_files / max(sample.n_units for sample in case.samples))
    return values | ({"larger_jobs": True, "max_files_per_job": case.larger_files} if is_enlarged or case.was_enlarged else {})


def _of_window(window: Window, case: Case, limits: ScoutLimits) -> Iterator[Finding]:
    counted = f"{window.n_finished} of {window.n_made} scout jobs succeeded"
    if window.standing is Standing.NONE:
        text = "no scout job succeeded" if window.n_finished == 0 else f"only {counted}, {window.target} are needed"
        yield Finding("scouts.none", text, window.target, window.n_finished)
    elif window.standing is Standing.FEW and case.further_jobs > limits.further_jobs:
        yield Finding("scouts.few", f"only {counted}, {window.target} are needed to go on", window.target, window.n_finished)


def _abnormal(case: Case, limits: ScoutLimits) -> Iterator[Finding]:
    if case.further_jobs <= limits.further_jobs or not case.samples:
        return
    for check in (_cpu_time, _memory, _short, _efficiency, _over_cores):
        yield from check(case, limits)


def _cpu_time(case: Case, limits: ScoutLimits) -> Iterator[Finding]:
    """Time per event over twice what was asked for, when the longest scout took more than a day."""
    preset = case.asked.wall_seconds_per_event
    measured = next((q for q in quantities(case.samples, case.asked) if q.name == "wall_seconds_per_event"), None)
    longest = max(sample.wall_seconds for sample in case.samples)
    if preset and measured and measured.value > limits.cpu_time_factor * preset and longest > limits.long_wall_seconds:
        text = f"an event takes {measured.value:.3g} s, {measured.value / preset:.1f} times what was asked for, and jobs run for up to {longest / 3600:.0f} h"
        yield Finding("scouts.cpu_time", text, limits.cpu_time_factor * preset, measured.value, measured.job_ids)


def _memory(case: Case, limits: ScoutLimits) -> Iterator[Finding]:
    """More memory a core than ordinary nodes have, when the task asked for less than that."""
    limit = limits.memory_mb_per_core * case.asked.cores
    measured = next((q for q in quantities(case.samples, case.asked) if q.name == "memory_mb"), None)
    if measured and measured.value > limit > case.asked.memory_mb:
        text = f"jobs need {measured.value:.0f} MB of memory; more than {limit:.0f} MB is given only to who asks for it"
        yield Finding("scouts.memory", text, limit, measured.value, measured.job_ids)


def _short(case: Case, limits: ScoutLimits) -> Iterator[Finding]:
    """Too many jobs that are too short: first larger jobs are tried, then a person decides."""
    short = [sample for sample in case.samples if 0 < sample.wall_seconds < limits.short_seconds]
    if not short or len(short) < SHORT_PART * len(case.samples) or case.further_jobs <= limits.short_further_jobs:
        return
    text = f"{len(short)} of {len(case.samples)} jobs took less than {limits.short_seconds:.0f} s, and {case.further_jobs} more are to come"
    job_ids = _ids(short)
    if case.may_be_larger and not case.was_enlarged:
        yield Finding(
            "scouts.enlarged", f"{text}; jobs of up to {case.larger_files} files are made instead", limits.short_seconds, None, job_ids, is_abnormal=False
        )
    else:
        yield Finding("scouts.short", f"{text}; give each job more to do", limits.short_seconds, max(s.wall_seconds for s in short), job_ids)


def _efficiency(case: Case, limits: ScoutLimits) -> Iterator[Finding]:
    """Jobs that use little of their cores, unless they read or write much."""
    known = [(s.cpu_efficiency(case.asked.cores), s) for s in case.samples if s.cpu_seconds is not None and s.wall_seconds >= limits.efficiency_wall_seconds]
    if not known or max(sample.io_mb_per_second for sample in case.samples) >= limits.high_io_mb_per_second:
        return
    lowest = min(value for value, _ in known)
    low = [sample for value, sample in known if value < limits.low_cpu_efficiency]
    is_many = len(low) >= INEFFICIENT_PART * len(case.samples) and case.further_jobs > limits.inefficient_further_jobs
    if lowest < limits.least_cpu_efficiency:
        text = f"a job used {lowest:.0%} of its {case.asked.cores} cores; the least is {limits.least_cpu_efficiency:.0%}"
        yield Finding("scouts.cpu_efficiency", text, limits.least_cpu_efficiency, lowest, _ids([s for value, s in known if value == lowest]))
    elif is_many:
        text = f"{len(low)} of {len(case.samples)} jobs used less than {limits.low_cpu_efficiency:.0%} of their cores"
        yield Finding("scouts.cpu_efficiency", text, limits.low_cpu_efficiency, lowest, _ids(low))


def _over_cores(case: Case, limits: ScoutLimits) -> Iterator[Finding]:
    """More CPU time than the cores that were asked for can give: the program starts more threads than it says."""
    allowed = limits.cpu_per_wall_factor * case.asked.cores
    over = [s for s in case.samples if s.wall_seconds > 0 and s.cpu_seconds is not None and s.cpu_seconds > allowed * s.wall_seconds]
    if over:
        used = max((s.cpu_seconds or 0) / s.wall_seconds for s in over)
        text = f"a job used {used:.1f} cores, and {case.asked.cores} were asked for"
        yield Finding("scouts.too_many_cores", text, allowed, used, _ids(over))


def _ids(samples: Sequence[Sample]) -> tuple[int, ...]:
    return tuple(sorted(sample.job_id for sample in samples)[:10])
