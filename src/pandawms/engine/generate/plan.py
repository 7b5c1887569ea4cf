"""Decides which units go into which job, and what each job writes. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from pandawms.store.jobs import NewInput, NewJob, NewOutput
from pandawms.store.merges import Group, Member
from pandawms.store.units import Unit

MAX_SEED = 900_000_000
"""Pythia and most generators take seeds from 1 to 900,000,000 (Pythia 8 manual, Random:seed)."""


def most_units(units_per_step: int, units_per_job: int) -> int:
    """Returns how many units one step takes: whole jobs only, and one job at least, so that no job is cut short by the size of a step."""
    return max(units_per_job, units_per_step // units_per_job * units_per_job)


def groups(units: Sequence[Unit], units_per_job: int, *, is_complete: bool) -> list[Sequence[Unit]]:
    """Cuts units, in their order, into jobs; a last part that is too small waits while more input may come."""
    cut = [units[i : i + units_per_job] for i in range(0, len(units), units_per_job)]
    if cut and len(cut[-1]) < units_per_job and not is_complete:
        cut.pop()
    return cut


def seed(task_id: int, number: int) -> int:
    """Returns the random seed of a job: the same for every attempt at the same first unit, different within a task, 1 to MAX_SEED."""
    return (task_id * 1_000_003 + number) % MAX_SEED + 1


def file_name(task_name: str, stream: str, serial: int, attempt: int, local_name: str) -> str:
    """Returns the name of an output: no two attempts ever write the same one."""
    return f"{task_name}.{stream}.{serial:06d}.{attempt}{''.join(PurePosixPath(local_name).suffixes)}"


def run_jobs(task_id: int, cut: Sequence[Sequence[Unit]], job_ids: Sequence[int], endpoint_id: int | None = None) -> tuple[list[NewJob], list[NewInput]]:
    """Returns a job for each group of units with its inputs. Its serial is the number of its first unit, its attempt that unit's next one.

    Where its outputs go is fixed with it, so that a queue that changes later misleads nobody.
    """
    jobs, inputs = [], []
    for units, job_id in zip(cut, job_ids, strict=True):
        first = units[0]
        jobs.append(NewJob(job_id, first.attempt + 1, first.job_id, _delta(task_id, units, endpoint_id)))
        inputs += [NewInput(job_id, n, unit.task_dataset_id, unit.task_file_id, unit.file_id) for n, unit in enumerate(units)]
    return jobs, inputs


def _delta(task_id: int, units: Sequence[Unit], endpoint_id: int | None) -> dict[str, Any]:
    first = units[0]
    delta: dict[str, Any] = {"serial": first.number, "seed": seed(task_id, first.number), "endpoint_id": endpoint_id}
    if first.first_event is not None:
        delta |= {"first_event": first.first_event, "n_events": first.n_events}
    return delta


def merge_job(task_id: int, group: Group, members: Sequence[Member], job_id: int, endpoint_id: int | None = None) -> tuple[NewJob, list[NewInput]]:
    """Returns the job that merges a group, with the group's files as inputs."""
    delta = {"serial": group.serial, "seed": seed(task_id, group.serial), "endpoint_id": endpoint_id}
    job = NewJob(job_id, group.attempt + 1, group.job_id, delta)
    return job, [NewInput(job_id, n, member.task_dataset_id, None, member.file_id) for n, member in enumerate(members)]


def outputs(
    task_name: str, jobs: Sequence[NewJob], streams: Mapping[str, str], dataset_ids: Mapping[str, int], first_n: Mapping[int, int]
) -> Iterator[NewOutput]:
    """Yields what each job writes: a file for each stream (name to local name), numbered after the job's inputs."""
    for job in jobs:
        for n, (stream, local_name) in enumerate(streams.items(), start=first_n[job.job_id]):
            name = file_name(task_name, stream, job.delta["serial"], job.attempt, local_name)
            yield NewOutput(job.job_id, n, dataset_ids[stream], name)
