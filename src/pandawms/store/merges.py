"""Merge groups: outputs of run jobs that one merge job adds up."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pandawms.domain.outcome import Outcome
from pandawms.store.database import Connection
from pandawms.store.sql import load

sql = load("merges")


@dataclass(frozen=True, slots=True, order=True)
class Unmerged:
    """An output that waits to be merged, in the storage of its queue."""

    job_id: int
    n: int
    queue_id: int
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """A group that needs a merge job; `attempt` counts those it had, `job_id` is the last of them."""

    merge_group_id: int
    task_id: int
    queue_id: int
    serial: int
    attempt: int
    job_id: int | None


@dataclass(frozen=True, slots=True)
class Member:
    """A file of a group and the run job that wrote it."""

    job_id: int
    n: int
    file_id: int
    task_dataset_id: int


@dataclass(frozen=True, slots=True)
class EndedGroup:
    """A group whose merge job has ended."""

    merge_group_id: int
    attempt: int
    max_attempts: int
    status: str
    outcome: Outcome


async def unmerged(connection: Connection, task_id: int) -> list[Unmerged]:
    """Returns the outputs of a task that wait to be merged, by queue, in order."""
    return [Unmerged(**row) async for row in sql.unmerged(connection, task_id=task_id)]


async def add_group(connection: Connection, task_id: int, queue_id: int, max_attempts: int, files: Sequence[Unmerged]) -> int:
    """Makes a mergeable group of these outputs and returns its id."""
    group_id = int(await sql.add_group(connection, task_id=task_id, queue_id=queue_id, max_attempts=max_attempts))
    await sql.put_in_group(connection, merge_group_id=group_id, job_ids=[f.job_id for f in files], ns=[f.n for f in files])
    return group_id


async def mergeable(connection: Connection, statuses: Collection[str], n: int) -> list[tuple[int, int]]:
    """Returns up to n groups that need a merge job, of tasks in these statuses, as (group id, task id)."""
    return [(row["merge_group_id"], row["task_id"]) async for row in sql.mergeable(connection, statuses=sorted(statuses), n=n)]


async def take(connection: Connection, merge_group_id: int) -> Group | None:
    """Returns a group that still needs a merge job, for the caller alone until its transaction ends; None when it is another's."""
    row = await sql.take(connection, merge_group_id=merge_group_id)
    return row and Group(**row)


async def start_group(connection: Connection, merge_group_id: int, job_id: int) -> None:
    """Notes the merge job of a group."""
    await sql.start_group(connection, merge_group_id=merge_group_id, job_id=job_id)


async def members(connection: Connection, merge_group_id: int) -> list[Member]:
    """Returns the files of a group, in order."""
    return [Member(**row) async for row in sql.members(connection, merge_group_id=merge_group_id)]


async def ended_groups(connection: Connection, task_id: int) -> list[EndedGroup]:
    """Returns and locks the groups whose merge job has ended."""
    found = []
    async for row in sql.ended_groups(connection, task_id=task_id):
        outcome = Outcome(row["error_domain"], row["error_code"], None, None, row["message"], row["is_retryable"])
        found.append(EndedGroup(row["merge_group_id"], row["attempt"], row["max_attempts"], row["status"], outcome))
    return found


async def set_group(connection: Connection, merge_group_id: int, status: str) -> None:
    """Gives a group its new status: mergeable again, merged, or failed."""
    await sql.set_group(connection, merge_group_id=merge_group_id, status=status)


async def fail_open_groups(connection: Connection, task_id: int) -> None:
    """Fails the groups of a task that have no merge job now."""
    await sql.fail_open_groups(connection, task_id=task_id)
