"""Decides which units go into which job. Pure."""

from collections.abc import Sequence

from pandawms.store.jobs import NewInput, NewJob
from pandawms.store.merges import Group, Member
from pandawms.store.units import Unit


def most_units(units_per_step: int, units_per_job: int) -> int:
    """Returns how many units one step takes: whole jobs only, and one job at least, so that no job is cut short by the size of a step."""
    return max(units_per_job, units_per_step // units_per_job * units_per_job)


def groups(units: Sequence[Unit], units_per_job: int, *, is_complete: bool) -> list[Sequence[Unit]]:
    """Cuts units, in their order, into jobs; a last part that is too small waits while more input may come."""
    cut = [units[i : i + units_per_job] for i in range(0, len(units), units_per_job)]
    if cut and len(cut[-1]) < units_per_job and not is_complete:
        cut.pop()
    return cut


def run_jobs(cut: Sequence[Sequence[Unit]], job_ids: Sequence[int]) -> tuple[list[NewJob], list[NewInput]]:
    """Returns a job for each group of units with its inputs. Its serial is the number of its first unit, its attempt that unit's next one."""
    new, inputs = [], []
    for units, job_id in zip(cut, job_ids, strict=True):
        first = units[0]
        new.append(NewJob(job_id, first.attempt + 1, first.job_id, first.number, first.first_event, first.n_events))
        inputs += [NewInput(job_id, n, unit.task_dataset_id, unit.task_file_id, unit.file_id) for n, unit in enumerate(units)]
    return new, inputs


def merge_job(group: Group, members: Sequence[Member], job_id: int) -> tuple[NewJob, list[NewInput]]:
    """Returns the job that merges a group, with the group's files as inputs."""
    job = NewJob(job_id, group.attempt + 1, group.job_id, group.serial)
    return job, [NewInput(job_id, n, member.task_dataset_id, None, member.file_id) for n, member in enumerate(members)]
