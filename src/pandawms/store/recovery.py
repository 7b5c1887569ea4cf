"""Recovery of lost files: who wrote them, what stands and falls with them, and what is opened again."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pandawms.store.database import Connection
from pandawms.store.sql import load

sql = load("recovery")


@dataclass(frozen=True, slots=True)
class Output:
    """A file in an output of a task."""

    file_id: int
    name: str
    stream: str


@dataclass(frozen=True, slots=True)
class Orphan:
    """A unit whose input file is lost; `job_id` is the last job that had it."""

    task_file_id: int
    status: str
    job_id: int | None


async def outputs(connection: Connection, task_id: int, names: Collection[str]) -> list[Output]:
    """Returns those of these names that are files in the outputs of a task."""
    return [Output(**row) async for row in sql.outputs(connection, task_id=task_id, names=sorted(names))]


async def writers(connection: Connection, file_ids: Sequence[int]) -> list[int]:
    """Returns the finished jobs that wrote these files."""
    return [row["job_id"] async for row in sql.writers(connection, file_ids=list(file_ids))]


async def together(connection: Connection, job_ids: Sequence[int]) -> list[int]:
    """Returns these jobs and all that stand and fall with them, by a merge."""
    return [row["job_id"] async for row in sql.together(connection, job_ids=list(job_ids))]


async def files_of(connection: Connection, job_ids: Sequence[int]) -> list[int]:
    """Returns the files that these jobs wrote and that are not lost yet."""
    return [row["file_id"] async for row in sql.files_of(connection, job_ids=list(job_ids))]


async def details(connection: Connection, job_ids: Sequence[int]) -> tuple[bool, bool]:
    """Returns whether what one of these jobs read and wrote has left the database for files, and whether one of them merged."""
    row = await sql.details(connection, job_ids=list(job_ids))
    return row["is_archived"], row["has_merge"]


async def is_unended(connection: Connection, file_ids: Sequence[int]) -> bool:
    """Whether a job that wrote one of these files waits for its merge."""
    return bool(await sql.is_unended(connection, file_ids=list(file_ids)))


async def sharing(connection: Connection, file_ids: Sequence[int]) -> dict[int, int]:
    """Returns the copies of these files in forks, with the task of each."""
    return {row["file_id"]: row["task_id"] async for row in sql.sharing(connection, file_ids=list(file_ids))}


async def bury(connection: Connection, file_ids: Sequence[int]) -> list[int]:
    """Takes the records of files out of their datasets, to those of lost files beside them; returns the ids of datasets made for that."""
    made = [row["dataset_id"] async for row in sql.graves(connection, file_ids=list(file_ids))]
    await sql.bury(connection, file_ids=list(file_ids))
    return made


async def forget_replicas(connection: Connection, file_ids: Sequence[int]) -> None:
    """Forgets where these files were."""
    await sql.forget_replicas(connection, file_ids=list(file_ids))


async def reopen(connection: Connection, job_ids: Sequence[int], more_attempts: int) -> list[int]:
    """Makes the units that these jobs had finished ready again, and returns them."""
    return [row["task_file_id"] async for row in sql.reopen(connection, job_ids=list(job_ids), more_attempts=more_attempts)]


async def unshare(connection: Connection, unit_ids: Sequence[int]) -> dict[int, list[int]]:
    """Makes units of forks ready that stood for these, and for those; returns them by task."""
    found: dict[int, list[int]] = {}
    wanted = list(unit_ids)
    while wanted:
        rows = {row["task_id"]: row["unit_ids"] async for row in sql.unshare(connection, unit_ids=wanted)}
        for task_id, ids in rows.items():
            found.setdefault(task_id, []).extend(ids)
        wanted = [unit_id for ids in rows.values() for unit_id in ids]
    return found


async def without_input(connection: Connection, task_id: int) -> list[Orphan]:
    """Returns the units of a task whose input file is lost."""
    return [Orphan(**row) async for row in sql.without_input(connection, task_id=task_id)]


async def remove_units(connection: Connection, unit_ids: Sequence[int]) -> int:
    """Takes units that no job has out of their task, and returns how many."""
    return int(await sql.remove_units(connection, unit_ids=list(unit_ids)))


async def readers(connection: Connection, file_ids: Sequence[int], task_id: int) -> list[int]:
    """Returns the other tasks that have units of these files, which the task wrote."""
    return [row["task_id"] async for row in sql.readers(connection, file_ids=list(file_ids), task_id=task_id)]


async def shared_here(connection: Connection, file_ids: Sequence[int]) -> dict[int, int]:
    """Returns those of these files that another task wrote and this one shares, with that task."""
    return {row["file_id"]: row["task_id"] async for row in sql.shared_here(connection, file_ids=list(file_ids))}
