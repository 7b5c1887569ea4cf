"""Finds what a path names, for a caller who may see it. Everything else does not exist for that caller."""

from pathlib import Path

from pandawms.api import policies
from pandawms.domain.errors import NotFound, did_you_mean
from pandawms.domain.identity import Who
from pandawms.store import archive, catalogue, identity, ids, jobs, tasks
from pandawms.store.catalogue import Dataset
from pandawms.store.database import Connection
from pandawms.store.jobs import Job
from pandawms.store.tasks import Task

FIRST_TASK_ID = 10_000_001
"""Below it a number is a name: ids of tasks begin here."""


async def task(connection: Connection, who: Who, reference: str) -> Task:
    """Returns a task by id, by name (the caller's newest of this name) or as owner:name. Raises NotFound with a suggestion."""
    task_id = await _task_id(connection, who, reference)
    found = await tasks.get(connection, task_id) if task_id is not None else None
    if found is None or not policies.may_see(who, found.community):
        near = did_you_mean(reference, await tasks.names_of(connection, who.user_id))
        raise NotFound(
            f"there is no task {reference[:200]}", code="task.unknown", field="task", value=reference[:200], allowed="an id, a name of yours, or owner:name",
            hint=f"did you mean {near}?" if near else "`panda ls` lists them",
        )  # fmt: skip
    return found


async def _task_id(connection: Connection, who: Who, reference: str) -> int | None:
    if reference.isdecimal() and FIRST_TASK_ID <= int(reference) <= ids.BIGINT:
        return int(reference)
    owner, _, name = reference.rpartition(":")
    owner_id = await identity.user_id(connection, owner) if owner else who.user_id
    return None if owner_id is None else await tasks.latest_by_name(connection, owner_id, name)


async def job(connection: Connection, who: Who, job_id: int) -> Job:
    """Returns a job. Raises NotFound, for one whose details have left the database with the folder where they are."""
    found = await jobs.get(connection, ids.checked_id(job_id, "job_id"))
    if found is None:
        await _refuse_archived(connection, who, job_id)
    if found is None or not policies.may_see(who, found.community):
        raise NotFound(f"there is no job {job_id}", code="job.unknown", field="job_id", value=job_id, hint="`panda ls jobs` lists them")
    return found


async def _refuse_archived(connection: Connection, who: Who, job_id: int) -> None:
    """Raises NotFound when the job is in files: to operators always, to others while the database still knows whose it was."""
    left = await archive.exported(connection, job_id)
    if left is None or not (policies.may_see(who, left.community) if left.community is not None else policies.is_operator(who)):
        return
    status = f"; it ended {left.status}" if left.status is not None else ""
    raise NotFound(
        f"the details of job {job_id} are archived{status}", code="job.archived", field="job_id", value=job_id,
        hint=f"an operator finds them in {Path(left.path).parent} of the archive's folder",
    )  # fmt: skip


async def dataset(connection: Connection, who: Who, reference: str) -> Dataset:
    """Returns a dataset by id or as scope:name. Raises NotFound with a suggestion."""
    if reference.isdecimal():
        found = await catalogue.dataset(connection, ids.checked_id(int(reference), "dataset_id"))
    else:
        found = await catalogue.dataset_by_name(connection, reference)
    if found is None or not policies.may_see(who, found.community):
        near = did_you_mean(reference, await catalogue.dataset_names(connection, None if policies.is_operator(who) else who.community))
        raise NotFound(
            f"there is no dataset {reference[:300]}", code="dataset.unknown", field="dataset", value=reference[:300], allowed="an id, or scope:name",
            hint=f"did you mean {near}?" if near else "`panda ls datasets` lists them",
        )  # fmt: skip
    return found
