"""Builds: what a version of a task has made for one queue before its jobs run there, and where that stands."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from pandawms.domain.codes import Domain
from pandawms.domain.outcome import Outcome
from pandawms.store.database import Connection
from pandawms.store.sql import load

sql = load("builds")

WANTED, AGAIN, BUILDING, READY, FAILED = "wanted", "again", "building", "ready", "failed"
"""Nothing is there and nobody waits; jobs wait for another attempt; a job builds; the library is there; no library can be made here."""

Key = tuple[int, int, int]
"""A task, a version of its document, and a queue."""


@dataclass(frozen=True, slots=True)
class Build:
    """A build: `job_id` is the newest of `attempt` build jobs, `failures` of which gave no library or one that was lost; `reason` says why the last did."""

    task_id: int
    version: int
    queue_id: int
    serial: int
    status: str
    attempt: int
    failures: int
    job_id: int | None
    file_id: int | None
    reason: str | None

    @property
    def key(self) -> Key:
        """What it is known by."""
        return self.task_id, self.version, self.queue_id


class Library(NamedTuple):
    """The file that a build made; `endpoint_id` is one that has it, None when none does."""

    scope: str
    name: str
    size_bytes: int
    adler32: bytes
    guid: UUID
    endpoint_id: int | None


class Left(NamedTuple):
    """What the newest job of a build left: whether it finished, its file, and whether a storage has that."""

    is_finished: bool
    file_id: int | None
    is_there: bool


class LeftWaiting(NamedTuple):
    """A job that waits for a build, whether that is ready, and else why it was given up."""

    job_id: int
    is_ready: bool
    reason: str | None


async def status(connection: Connection, key: Key) -> str | None:
    """Returns where a build stands, None when there is none; it may change at once."""
    found = await sql.find(connection, **_named(key))
    return None if found is None else str(found)


async def add(connection: Connection, key: Key) -> None:
    """Makes a build that is wanted, unless there is one. The caller is the only one who makes jobs of the task (`splitting.hold`)."""
    await sql.add(connection, **_named(key))


async def adopt(connection: Connection, key: Key, of_version: int) -> None:
    """Gives a new build the library of another version."""
    await sql.adopt(connection, of_version=of_version, **_named(key))


async def ready_versions(connection: Connection, task_id: int, queue_id: int) -> list[tuple[int, dict[str, Any]]]:
    """Returns the versions of a task that have a library for a queue, newest first, with their documents."""
    return [(row["version"], row["document"]) async for row in sql.ready_versions(connection, task_id=task_id, queue_id=queue_id)]


async def hold(connection: Connection, key: Key, *, shared: bool) -> Build:
    """Returns a build that nobody else changes until the caller's transaction ends; `shared` when others may read it so, too."""
    return Build(**await (sql.share if shared else sql.hold)(connection, **_named(key)))


async def lock_job(connection: Connection, job_id: int) -> bool:
    """Whether a build job is still to end; then its end waits for the caller's transaction."""
    return bool(await sql.lock_job(connection, job_id=job_id))


async def left(connection: Connection, key: Key) -> Left:
    """Returns what the newest job of a build left."""
    row = await sql.library(connection, **_named(key))
    return Left(bool(row["is_finished"]), row["file_id"], row["is_there"])


async def start(connection: Connection, build: Build, job_id: int) -> None:
    """Notes a new build job; who waited for the one before waits for this one."""
    await sql.start(connection, job_id=job_id, **_named(build.key))
    if build.job_id is not None:
        await sql.pass_on(connection, old_job_id=build.job_id, new_job_id=job_id)


async def put(connection: Connection, build: Build, status: str, *, failures: int, file_id: int | None = None, reason: str | None = None) -> None:
    """Gives a build its new status."""
    await sql.set(connection, status=status, failures=failures, file_id=file_id, reason=reason, **_named(build.key))


async def again(connection: Connection, statuses: Collection[str], n: int) -> list[Key]:
    """Returns up to n builds that need another attempt, of tasks in these statuses."""
    return [(row["task_id"], row["version"], row["queue_id"]) async for row in sql.again(connection, statuses=sorted(statuses), n=n)]


async def ended(connection: Connection, task_id: int) -> list[tuple[Build, str, Outcome]]:
    """Returns the builds of a task whose job has ended, with its status and outcome, for the caller alone."""
    found = []
    async for row in sql.ended(connection, task_id=task_id):
        outcome = Outcome(row["error_domain"], row["error_code"], row["exit_code"], row["exit_signal"], row["message"], row["is_retryable"])
        found.append((_build(row), str(row["job_status"]), outcome))
    return found


async def lost(connection: Connection, task_id: int) -> list[Build]:
    """Returns builds whose library a job failed to fetch just now, for the caller alone."""
    return [_build(row) async for row in sql.lost(connection, task_id=task_id, domain=str(Domain.DATA))]


async def of_task(connection: Connection, task_id: int) -> list[tuple[str, Build]]:
    """Returns the builds of a task, all versions, each with the name of its queue."""
    return [(row["queue"], _build(row)) async for row in sql.of_task(connection, task_id=task_id)]


async def has_waiting(connection: Connection, job_id: int) -> bool:
    """Whether jobs wait for a build job."""
    return bool(await sql.has_waiting(connection, job_id=job_id))


async def left_waiting(connection: Connection, task_id: int) -> list[LeftWaiting]:
    """Returns the jobs that still wait for a build that is ready or was given up, by id."""
    return [LeftWaiting(*row) async for row in sql.left_waiting(connection, task_id=task_id)]


async def queued(connection: Connection, build: Build) -> list[int]:
    """Returns the run jobs that are to use a library and that no pilot has."""
    return [row["job_id"] async for row in sql.queued(connection, **_named(build.key))]


async def drop_edges(connection: Connection, task_id: int) -> None:
    """Forgets who waited for builds that have ended, and waits no more."""
    await sql.drop_edges(connection, task_id=task_id)


async def forgive(connection: Connection, task_id: int) -> None:
    """Lets builds that failed be tried again, as in a retry of their task, in the queues that were left out for that."""
    queue_ids = [row["queue_id"] async for row in sql.forgive(connection, task_id=task_id)]
    await sql.avoid_no_more(connection, task_id=task_id, queue_ids=queue_ids)


async def library_of(connection: Connection, job_id: int) -> str | None:
    """Returns the full name of the library that a job of a task with a build uses; None while it is being built."""
    found: str | None = await sql.library_of(connection, job_id=job_id)
    return found


async def libraries(connection: Connection, keys: Collection[Key]) -> dict[Key, Library]:
    """Returns the libraries of these builds, of those that have one."""
    if not keys:
        return {}
    task_ids, versions, queue_ids = zip(*keys, strict=True)
    rows = sql.libraries(connection, task_ids=task_ids, versions=versions, queue_ids=queue_ids)
    return {(task_id, version, queue_id): Library(*library) async for task_id, version, queue_id, *library in rows}


async def unmergeable(connection: Connection, task_id: int) -> list[tuple[int, str]]:
    """Returns groups whose merge job cannot be made, since its build failed, with why; for the caller alone."""
    return [(row["merge_group_id"], row["reason"] or "") async for row in sql.unmergeable(connection, task_id=task_id)]


def _named(key: Key) -> dict[str, int]:
    return dict(zip(("task_id", "version", "queue_id"), key, strict=True))


def _build(row: Any) -> Build:
    return Build(**{name: row[name] for name in Build.__dataclass_fields__})
