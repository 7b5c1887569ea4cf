"""What lies behind the status of a task or job: the facts from which engine/explain says why."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pandawms.store.database import Connection
from pandawms.store.sql import load

sql = load("reasons")


@dataclass(frozen=True, slots=True)
class Failure:
    """One way in which jobs of a task failed, how often, and the newest of them."""

    error_domain: str
    error_code: int
    n: int
    last_job_id: int
    message: str


@dataclass(frozen=True, slots=True)
class HotJobs:
    """How many jobs of a task have a status in a queue."""

    queue: str
    status: str
    n: int


@dataclass(frozen=True, slots=True)
class Parent:
    """The task whose output another reads."""

    task_id: int
    name: str
    status: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A command that is not applied yet."""

    verb: str
    asked_at: datetime
    progress: dict[str, Any] | None = None

    @property
    def text(self) -> str:
        """How far it is, in words."""
        if self.progress is None:
            return f"a {self.verb} was asked for and is about to be applied"
        done = sum(n for n in (self.progress.get("counts") or {}).values() if isinstance(n, int))
        return f"a {self.verb} is being applied: {done:,} jobs so far"


@dataclass(frozen=True, slots=True)
class FailedUnits:
    """Units that failed: `n_again` will be tried again, `n_final` are out of attempts."""

    n_again: int
    n_final: int


@dataclass(frozen=True, slots=True)
class Predecessor:
    """A job for which another waits."""

    job_id: int
    status: str


async def hot_jobs(connection: Connection, task_id: int) -> tuple[HotJobs, ...]:
    """Returns the jobs of a task that have not ended, by queue and status."""
    return tuple([HotJobs(**row) async for row in sql.hot_jobs(connection, task_id=task_id)])


async def parent(connection: Connection, task_id: int) -> Parent | None:
    """Returns the task whose output a task reads, or None."""
    row = await sql.parent(connection, task_id=task_id)
    return row and Parent(**row)


async def pending_commands(connection: Connection, task_id: int | None, job_id: int | None) -> tuple[Asked, ...]:
    """Returns the commands for a task or a job that are not applied yet."""
    return tuple([Asked(**row) async for row in sql.pending_commands(connection, task_id=task_id, job_id=job_id)])


async def failed_units(connection: Connection, task_id: int) -> FailedUnits:
    """Returns how many units of a task failed."""
    return FailedUnits(**await sql.failed_units(connection, task_id=task_id))


async def ahead(connection: Connection, job_id: int, ceiling: int) -> int:
    """Returns how many ready jobs of its queue come before a job, counted no further than the ceiling."""
    return int(await sql.ahead(connection, job_id=job_id, ceiling=ceiling))


async def kill_order(connection: Connection, job_id: int) -> str | None:
    """Returns why a job's pilot is to end it, or None."""
    found: str | None = await sql.kill_order(connection, job_id=job_id)
    return found


async def predecessors(connection: Connection, job_id: int) -> tuple[Predecessor, ...]:
    """Returns up to 20 jobs for which a job waits."""
    return tuple([Predecessor(**row) async for row in sql.predecessors(connection, job_id=job_id)])


async def missing_inputs(connection: Connection, job_id: int, n: int) -> tuple[str, ...]:
    """Returns up to n input files of a job that its queue cannot read."""
    return tuple([row["name"] async for row in sql.missing_inputs(connection, job_id=job_id, n=n)])


async def successor(connection: Connection, task_id: int, job_id: int) -> int | None:
    """Returns the next attempt at what a job failed to do, or None."""
    found: int | None = await sql.successor(connection, task_id=task_id, job_id=job_id)
    return found
