"""Decides which units go into which job. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import NamedTuple

from pandawms.domain.snapshot import Requirement
from pandawms.engine.requirements import Effective, sized
from pandawms.engine.splitting.cut import Cut, Job, Piece, Raised, Refused, Rest, Waits
from pandawms.engine.splitting.limits import MB, Reason
from pandawms.store.jobs import NewInput, NewJob, input_of
from pandawms.store.merges import Group, Member
from pandawms.store.retry_rules import Slot
from pandawms.store.splitting import Refusal, Traits
from pandawms.store.units import Unit

_number = attrgetter("number")
NO_TRAITS = Traits(None, None, None, None)


class Companion(NamedTuple):
    """A file that goes along: its input and its id."""

    task_dataset_id: int
    file_id: int


@dataclass(slots=True)
class Selection:
    """What becomes of a window: jobs, units of which none can be made, units that another queue may take, jobs more than the task may have, and why the
    rest waits."""

    jobs: list[Job] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    over: list[Job] = field(default_factory=list)
    aside: list[Refused] = field(default_factory=list)
    waits_for: Reason | None = None


def most_units(units_per_step: int, units_per_job: int) -> int:
    """Returns how many units one step takes: whole jobs only, and one job at least, so that no job is cut short by the size of a step."""
    return max(units_per_job, units_per_step // units_per_job * units_per_job)


def window(n_units: int, largest_job: int, *, is_regular: bool) -> int:
    """Returns how many units to look at for a part of `n_units`: whole jobs, so that its last job is not cut short."""
    return -(-n_units // largest_job) * largest_job if is_regular else n_units + largest_job


def pieces(units: Sequence[Unit], traits: Mapping[int, Traits]) -> list[Piece]:
    """Returns units as the cut sees them, in their order."""
    in_order = sorted(units, key=_number)
    if traits:
        return [_piece(unit, traits.get(unit.task_file_id or 0, NO_TRAITS)) for unit in in_order]
    return [Piece(number, size or 0, n_events, first_event, file_id, attempt, job_id)
            for _, _, file_id, number, first_event, n_events, attempt, job_id, size, *_ in in_order]  # fmt: skip


def _piece(unit: Unit, traits: Traits) -> Piece:
    needs = Raised(traits.memory_mb, traits.wall_seconds, traits.units_per_job)
    raised = None if needs == (None, None, None) else needs
    return Piece(unit.number, unit.size_bytes or 0, unit.n_events, unit.first_event, unit.file_id, unit.attempt, unit.job_id, traits.boundary or "", raised)


def rest_after(n_found: int, n_ready: int, *, is_complete: bool) -> Rest:
    """Says what comes after a window of so many units, when so many are ready in all."""
    if n_ready > n_found:
        return Rest.MORE_UNITS
    return Rest.NOTHING if is_complete else Rest.MORE_INPUT


def select(cuts: Iterable[Cut], quota: int, most_first: int | None) -> Selection:
    """Takes jobs until the quota of units is used up (the last job may pass it), with at most so many first attempts (None: any number)."""
    found, used, n_first = Selection(), 0, 0
    for made in cuts:
        if isinstance(made, Waits):
            found.waits_for = made.reason
        elif isinstance(made, Refused):
            found.refused.append(made)
        elif made.pieces[0].attempt == 0 and most_first is not None and n_first >= most_first:
            found.over.append(made)
        else:
            found.jobs.append(made)
            used, n_first = used + len(made.pieces), n_first + (made.pieces[0].attempt == 0)
        if used >= quota:
            break
    return found


def need(resources: Effective, job: Job, slot: Slot) -> Requirement:
    """Returns what a job asks for: what its size needs, never more than a slot of its queue has (prediction is rounded up)."""
    wanted = sized(resources, n_events=job.n_events, input_mb=job.n_bytes / MB)
    return replace(
        wanted, memory_mb=min(wanted.memory_mb, slot.memory_mb), disk_mb=min(wanted.disk_mb, slot.disk_mb),
        wall_seconds=min(wanted.wall_seconds, slot.max_wall_seconds),
    )  # fmt: skip


def raises(job: Job) -> tuple[int | None, int | None]:
    """Returns the largest memory and wall time that retry rules gave to units of a job."""
    found = [piece.raised for piece in job.pieces if piece.raised is not None]
    if not found:
        return None, None
    return max((r.memory_mb or 0 for r in found), default=0) or None, max((r.wall_seconds or 0 for r in found), default=0) or None


def run_jobs(cut: Sequence[Job], job_ids: Sequence[int], units: Mapping[int, Unit], companions: Sequence[Sequence[Companion]] = (),
             first_serial: int = 1) -> tuple[list[NewJob], list[NewInput]]:  # fmt: skip
    """Returns the rows of jobs and of their inputs: units (by number) first, then the files that go along.

    A job's serial is the number of its first unit (counted on from `first_serial`), its attempt that unit's next one: no two jobs have the same of both.
    """
    new, inputs = [], []
    for n_job, (job, job_id) in enumerate(zip(cut, job_ids, strict=True)):
        mine = [units[piece.number] for piece in job.pieces]
        first = mine[0]
        new.append(NewJob(job_id, first.attempt + 1, first.job_id, first.number + first_serial - 1, first.first_event, job.n_events))
        inputs += [input_of(job_id, n, unit) for n, unit in enumerate(mine)]
        if companions:
            inputs += [NewInput(job_id, n, along.task_dataset_id, None, along.file_id) for n, along in enumerate(companions[n_job], len(mine))]
    return new, inputs


def n_inputs(job: Job) -> int:
    """Returns how many files and chunks of events a job reads."""
    return len(job.pieces) + sum(len(numbers) for numbers in job.companions)


def refusals(refused: Sequence[Refused], units: Mapping[int, Unit]) -> dict[Refusal, list[tuple[Unit, float | None]]]:
    """Returns units that have failed for good, by why, each with the value that is too large."""
    found: dict[Refusal, list[tuple[Unit, float | None]]] = {}
    for each in refused:
        scale = MB if each.reason == Reason.QUEUE_DISK else 1
        limit = None if each.limit is None else round(each.limit.most / scale, 3)
        value = None if each.limit is None else round(each.used / scale, 3)
        code = "secondary.exhausted" if each.reason == Reason.EXHAUSTED else f"split.{each.reason}"
        why = Refusal(code, f"no job can be made of it: {each.reason.meaning}", limit)
        found.setdefault(why, []).extend((units[piece.number], value) for piece in each.pieces)
    return found


def merge_job(group: Group, members: Sequence[Member], job_id: int) -> tuple[NewJob, list[NewInput]]:
    """Returns the job that merges a group, with the group's files as inputs."""
    job = NewJob(job_id, group.attempt + 1, group.job_id, group.serial)
    return job, [NewInput(job_id, n, member.task_dataset_id, None, member.file_id) for n, member in enumerate(members)]
