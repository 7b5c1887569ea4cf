"""Recovery of lost files: who wrote them, what stands and falls with them, and what is opened again."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pandawms.domain.job import JobStatus
from pandawms.store import counters, listing, moving, units
from pandawms.store.database import Connection
from pandawms.store.moving import Stray
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


async def lost_before(connection: Connection, task_id: int, names: Collection[str]) -> dict[str, int]:
    """Returns those of these names that were files in the outputs of a task until they were lost, with the newest of each."""
    return {row["name"]: row["file_id"] async for row in sql.lost_before(connection, task_id=task_id, names=sorted(names))} if names else {}


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
    """Whether a job that wrote one of these files has not ended: it waits for its merge, or has payloads that run."""
    return bool(await sql.is_unended(connection, file_ids=list(file_ids)))


async def sharing(connection: Connection, file_ids: Sequence[int]) -> dict[int, int]:
    """Returns the copies of these files in forks, with the task of each."""
    return {row["file_id"]: row["task_id"] async for row in sql.sharing(connection, file_ids=list(file_ids))}


async def bury(connection: Connection, file_ids: Sequence[int]) -> list[int]:
    """Takes the records of files out of their datasets, to those of lost files beside them; returns the ids of datasets made for that."""
    made = [row["dataset_id"] async for row in sql.graves(connection, file_ids=list(file_ids))]
    await sql.lock_files(connection, file_ids=list(file_ids))
    strays = [Stray(**row) async for row in sql.strays(connection, file_ids=list(file_ids))]
    if strays:
        moved = [stray.file_id for stray in strays]
        await sql.mark_lost(connection, file_ids=moved)
        await sql.drop_shared(connection, file_ids=moved)
        await moving.move(connection, strays)
    return made


async def forget_replicas(connection: Connection, file_ids: Sequence[int]) -> None:
    """Forgets where these files were."""
    await sql.forget_replicas(connection, file_ids=list(file_ids))


async def reopen(connection: Connection, job_ids: Sequence[int], more_attempts: int) -> list[int]:
    """Makes the units that these jobs had finished ready again, and returns them."""
    inputs = [tuple(row) async for row in sql.inputs_of(connection, job_ids=list(job_ids))]
    if not inputs:
        return []
    unit_ids, of_jobs = zip(*inputs, strict=True)
    await counters.lock_units(connection, unit_ids)
    changes = [row async for row in sql.reopen(connection, task_file_ids=unit_ids, job_ids=of_jobs, more_attempts=more_attempts)]
    await counters.follow(connection, changes)
    return sorted(unit_id for row in changes for unit_id in row["unit_ids"])


async def finished_by(connection: Connection, job_ids: Sequence[int]) -> list[int]:
    """Returns the units that these jobs have finished."""
    return [row["task_file_id"] async for row in sql.finished_by(connection, job_ids=list(job_ids))]


async def copies(connection: Connection, unit_ids: Sequence[int]) -> dict[int, list[int]]:
    """Returns the units of forks that stand for these, by task."""
    return {row["task_id"]: row["unit_ids"] async for row in sql.copies(connection, unit_ids=list(unit_ids))}


async def unshare(connection: Connection, unit_ids: Sequence[int], closed: Collection[int]) -> dict[int, list[int]]:
    """Makes units of forks ready that stood for these, and for those; those of `closed` tasks are cancelled. Returns them by task."""
    found: dict[int, list[int]] = {}
    wanted = list(unit_ids)
    while wanted:
        standing = [unit_id for ids in (await copies(connection, wanted)).values() for unit_id in ids]
        await counters.lock_units(connection, standing)
        changes = [row async for row in sql.unshare(connection, task_file_ids=standing, closed=sorted(closed))]
        await counters.follow(connection, changes)
        for row in changes:
            found.setdefault(row["task_id"], []).extend(row["unit_ids"])
        wanted = [unit_id for row in changes for unit_id in row["unit_ids"]]
    return found


async def without_input(connection: Connection, task_id: int) -> list[Orphan]:
    """Returns the units of a task whose input file is lost."""
    return [Orphan(**row) async for row in sql.without_input(connection, task_id=task_id)]


async def waiting_beside(connection: Connection, task_id: int, statuses: Collection[JobStatus]) -> list[int]:
    """Returns the jobs of a task in one of these statuses of which a file beside their units is lost, not locked."""
    return [row["job_id"] async for row in sql.waiting_beside(connection, task_id=task_id, statuses=sorted(statuses))]


async def remove_units(connection: Connection, unit_ids: Sequence[int]) -> int:
    """Takes units that no job has out of their task, and returns how many."""
    ids = list(unit_ids)
    if not ids:
        return 0
    await sql.hold_ranges_of(connection, unit_ids=ids)
    await counters.lock_units(connection, ids)
    await units.leave_ranges(connection, [tuple(row) async for row in sql.untouched(connection, unit_ids=ids)])
    return await counters.follow(connection, [row async for row in sql.remove_units(connection, unit_ids=ids)])


async def readers(connection: Connection, file_ids: Sequence[int], task_id: int) -> list[int]:
    """Returns the other tasks that have units of these files, which the task wrote, or that give them to their jobs beside units."""
    return [row["task_id"] async for row in sql.readers(connection, file_ids=list(file_ids), task_id=task_id)]


async def hold_listings(connection: Connection, writers: Collection[int]) -> None:
    """Lets nobody list what these tasks wrote until the transaction ends, and waits for those who do: what they make units of is seen then."""
    for task_dataset_id in [row["task_dataset_id"] async for row in sql.listed_from(connection, writers=sorted(writers))]:
        await listing.hold_input(connection, task_dataset_id)


async def shared_here(connection: Connection, file_ids: Sequence[int]) -> dict[int, int]:
    """Returns those of these files that another task wrote and this one shares, with that task."""
    return {row["file_id"]: row["task_id"] async for row in sql.shared_here(connection, file_ids=list(file_ids))}
