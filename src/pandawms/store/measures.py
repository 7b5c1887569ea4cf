"""What jobs of a task used and how they failed, and the measurements that were made of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pandawms.store.database import Connection
from pandawms.store.sql import load

sql = load("measures")


@dataclass(frozen=True, slots=True)
class Scouts:
    """Run jobs of a task: how many first attempts were made, how many of them (by serial) succeeded, how many jobs failed, whether one may still end well."""

    n_made: int
    n_finished: int
    n_failed: int
    is_under_way: bool


@dataclass(frozen=True, slots=True)
class Used:
    """What a job that succeeded used, and the size of its inputs (units and their events, None where one has none counted) and of what it wrote."""

    job_id: int
    wall_seconds: float | None
    cpu_seconds: float | None
    max_rss_mb: int | None
    disk_mb: int | None
    n_units: int
    n_events: int | None
    input_bytes: int
    output_bytes: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """A measurement of a round of a task; quantities and findings are those of engine/aggregate in words and numbers."""

    round: int
    number: int
    measured_at: datetime
    n_jobs: int
    n_finished: int
    n_failed: int
    verdict: str
    quantities: list[dict[str, Any]]
    findings: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class FailedJobs:
    """Jobs of a task that failed in one queue with one outcome and one message, but for its digits. `total` is of all failed jobs of the task."""

    domain: str
    code: int
    message: str
    queue: str
    n: int
    first_at: datetime
    last_at: datetime
    job_ids: list[int]
    total: int


@dataclass(frozen=True, slots=True)
class Round:
    """The verdict of a round of a task."""

    round: int
    status: str
    ended_at: datetime
    verdict: dict[str, Any]


async def scouts(connection: Connection, task_id: int) -> Scouts:
    """Returns where the scouts of a task stand. Reads all run jobs of the task: for tasks that have few."""
    return Scouts(**await sql.scouts(connection, task_id=task_id))


async def has_scouts_out(connection: Connection, task_id: int) -> bool:
    """Whether a task has begun to scout in its first round and was not judged."""
    return bool(await sql.has_scouts_out(connection, task_id=task_id))


async def samples(connection: Connection, task_id: int, kind: str, n: int) -> list[Used]:
    """Returns what the newest n jobs of a kind that succeeded used."""
    return [Used(**row) async for row in sql.samples(connection, task_id=task_id, kind=kind, n=n)]


async def finished_jobs(connection: Connection, task_id: int, ceiling: int) -> int:
    """Returns how many jobs of a task have finished or wait for their merge, each counted no further than the ceiling."""
    return int(await sql.finished_jobs(connection, task_id=task_id, ceiling=ceiling))


async def add(connection: Connection, task_id: int, *, n_jobs: int, n_finished: int, n_failed: int, verdict: str, quantities: Sequence[dict[str, Any]],
              findings: Sequence[dict[str, Any]]) -> int:  # fmt: skip
    """Keeps a measurement of the present round of a task; returns its number in the round."""
    return int(await sql.add(
        connection, task_id=task_id, n_jobs=n_jobs, n_finished=n_finished, n_failed=n_failed, verdict=verdict, quantities=list(quantities),
        findings=list(findings),
    ))  # fmt: skip


async def learn(connection: Connection, task_id: int, learned: dict[str, Any]) -> None:
    """Sets what later jobs of a task are given."""
    await sql.learn(connection, task_id=task_id, learned=learned)


async def of_task(connection: Connection, task_id: int) -> list[Measurement]:
    """Returns all measurements of a task, oldest first."""
    return [Measurement(**row) async for row in sql.of_task(connection, task_id=task_id)]


async def failures(connection: Connection, task_id: int, n: int) -> list[FailedJobs]:
    """Returns how the failed jobs of a task ended: the n most frequent ways."""
    return [FailedJobs(**row) async for row in sql.failures(connection, task_id=task_id, n=n)]


async def rounds(connection: Connection, task_id: int) -> list[Round]:
    """Returns the verdicts of a task, oldest first."""
    return [Round(**row) async for row in sql.rounds(connection, task_id=task_id)]
