"""What the broker leaves: allocations, and the reasons of its last look at a task."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pandawms.store import tasks
from pandawms.store.database import Connection
from pandawms.store.sql import load

sql = load("brokerage")


@dataclass(frozen=True, slots=True)
class Taken:
    """An allocation held by the caller: `quota` units of a task may go to a queue."""

    allocation_id: int
    task_id: int
    queue_id: int
    quota: int


@dataclass(frozen=True, slots=True)
class Brokerage:
    """The broker's last look at a task."""

    task_id: int
    evaluated_at: datetime
    candidates: list[dict[str, Any]]
    rejections: list[dict[str, Any]]


async def without_allocation(connection: Connection, n: int) -> list[tasks.Task]:
    """Returns up to n tasks that have ready units and no allocation, for the caller alone until its transaction ends."""
    rows = sql.without_allocation(connection, n=n)
    return [tasks.Task(**{name: row[name] for name in tasks.Task.__dataclass_fields__}) async for row in rows]


async def may_allocate(connection: Connection, task_id: int) -> bool:
    """Holds a task until the caller's transaction ends, if it still may get allocations and has none; says whether."""
    return await sql.may_allocate(connection, task_id=task_id) is not None


async def replace_allocations(connection: Connection, task_id: int, shares: Sequence[tuple[int, int, float]], seconds: float) -> None:
    """Gives a task these allocations (queue id, quota, weight), valid for so many seconds, in place of what it had."""
    await sql.replace_allocations(
        connection, task_id=task_id, queue_ids=[s[0] for s in shares], quotas=[s[1] for s in shares], weights=[s[2] for s in shares], seconds=seconds
    )


async def put(connection: Connection, task_id: int, candidates: list[dict[str, Any]], rejections: list[dict[str, Any]]) -> None:
    """Keeps what the broker found, over what it found before."""
    await sql.put_brokerage(connection, task_id=task_id, candidates=candidates, rejections=rejections)


async def get(connection: Connection, task_id: int) -> Brokerage | None:
    """Returns the broker's last look at a task, or None when it has not looked."""
    row = await sql.brokerage(connection, task_id=task_id)
    return row and Brokerage(**row)


async def take(connection: Connection) -> Taken | None:
    """Returns the heaviest valid allocation that nobody holds, for the caller alone until its transaction ends."""
    row = await sql.take_allocation(connection)
    return row and Taken(**row)


async def use(connection: Connection, allocation_id: int, used: int) -> None:
    """Takes what was used off an allocation; one that is empty, or of which nothing could be used, is gone."""
    await sql.use_allocation(connection, allocation_id=allocation_id, used=used)


async def drop(connection: Connection, task_id: int) -> None:
    """Withdraws the allocations of a task."""
    await sql.drop_allocations(connection, task_id=task_id)


async def drop_expired(connection: Connection) -> int:
    """Deletes allocations whose time is over; returns how many."""
    return int(await sql.drop_expired(connection))
