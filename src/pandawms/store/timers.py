"""What the clock looks for: jobs and tasks that have been in one status for too long. One query for each, a part at a time."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pandawms.store.database import Connection
from pandawms.store.sql import load

sql = load("timers")


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a look has come (the id after which it goes on), and when the last one was whole."""

    after_id: int
    looked_at: datetime


@dataclass(frozen=True, slots=True)
class OverdueJob:
    """A job that has been in its status since `since`, longer than that may last."""

    job_id: int
    task_id: int
    status: str
    since: datetime


@dataclass(frozen=True, slots=True)
class VoidReader:
    """A task with an input that is lost for good."""

    task_id: int
    owner_id: int


@dataclass(frozen=True, slots=True)
class RestingTask:
    """A task that has not moved for some time. `pending_since` counts through its wakes; `is_next` when a stage is about to look at it,
    `is_commanded` when a command of it is not applied yet."""

    task_id: int
    owner_id: int
    status: str
    previous_status: str | None
    reason: dict[str, Any] | None
    created_at: datetime
    changed_at: datetime
    pending_since: datetime | None
    expires_at: datetime | None
    has_jobs: bool
    is_next: bool
    is_commanded: bool


async def take_mark(connection: Connection, name: str) -> Mark | None:
    """Returns how far a look has come, for the caller alone until its transaction ends; None while another looks."""
    row = await sql.take_mark(connection, name=name)
    return row and Mark(**row)


async def set_mark(connection: Connection, name: str, after_id: int, looked_at: datetime | None = None) -> None:
    """Keeps how far a look has come, and, when it is whole, when that was."""
    await sql.set_mark(connection, name=name, after_id=after_id, looked_at=looked_at)


async def next_jobs(connection: Connection, after: int, n: int) -> list[int]:
    """Returns the next n hot jobs, in order."""
    return [row["job_id"] async for row in sql.next_jobs(connection, after=after, n=n)]


async def overdue_jobs(connection: Connection, low: int, high: int, limits: Mapping[str, float], queue_statuses: Sequence[str],
                       now: datetime) -> list[OverdueJob]:  # fmt: skip
    """Returns the jobs with ids from low to high that have been in their status for longer than its limit in seconds."""
    rows = sql.overdue_jobs(connection, low=low, high=high, statuses=list(limits), seconds=list(limits.values()), queue_statuses=list(queue_statuses), now=now)
    return [OverdueJob(**row) async for row in rows]


async def void_readers(connection: Connection, statuses: Collection[str]) -> list[VoidReader]:
    """Returns the tasks in these statuses with inputs that are lost for good and not processed yet, or that go along with jobs."""
    return [VoidReader(**row) async for row in sql.void_readers(connection, statuses=sorted(statuses))]


async def resting_tasks(connection: Connection, after: int, n: int, seconds: Mapping[str, float], now: datetime, oldest: datetime | None) -> list[RestingTask]:
    """Returns the next n tasks that have been in their status for so many seconds, or whose time is over; each for the caller alone."""
    rows = sql.resting_tasks(connection, after=after, n=n, statuses=list(seconds), seconds=list(seconds.values()), now=now, oldest=oldest)
    return [RestingTask(**row) async for row in rows]


async def set_reason(connection: Connection, task_id: int, reason: dict[str, Any] | None) -> None:
    """Keeps why a task stands still, or that it does not."""
    await sql.set_reason(connection, task_id=task_id, reason=reason)


async def set_reasons(connection: Connection, reasons: Mapping[int, dict[str, Any]]) -> None:
    """Keeps why tasks stand still that have no reason yet."""
    if reasons:
        await sql.set_reasons(connection, task_ids=list(reasons), reasons=list(reasons.values()))
