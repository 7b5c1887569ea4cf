"""The logs of changes, read by people and by streams."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pandawms.store.database import Connection
from pandawms.store.sql import load

sql = load("events")


@dataclass(frozen=True, slots=True)
class Event:
    """One change of status."""

    event_id: int
    entity: str
    entity_id: int
    task_id: int | None
    event: str
    from_status: str | None
    to_status: str
    at: datetime
    who: str
    why: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Position:
    """Where a reader of the stream is: after this transaction and event. Its text travels as the id of a server-sent event."""

    xid: int
    event_id: int

    def __str__(self) -> str:
        return f"{self.xid}-{self.event_id}"


async def log(connection: Connection, entity: str, entity_id: int, event: str, from_status: str | None, to_status: str, who: str,
              why: dict[str, Any] | None = None) -> None:  # fmt: skip
    """Writes one change of a dataset, queue or worker."""
    await sql.log_entity(connection, entity=entity, entity_id=entity_id, event=event, from_status=from_status, to_status=to_status, who=who, why=why)


async def log_datasets(connection: Connection, dataset_ids: Collection[int], event: str, from_status: str | None, to_status: str, who: str) -> None:
    """Writes the same change of several datasets."""
    await sql.log_datasets(connection, dataset_ids=list(dataset_ids), event=event, from_status=from_status, to_status=to_status, who=who)


async def of_task(connection: Connection, task_id: int, after: int, n: int) -> list[Event]:
    """Returns the changes of a task after an event id, oldest first."""
    return [Event(**row) async for row in sql.of_task(connection, task_id=task_id, after=after, n=n)]


async def of_job(connection: Connection, job_id: int) -> list[Event]:
    """Returns the changes of a job, oldest first."""
    return [Event(**row) async for row in sql.of_job(connection, job_id=job_id)]


async def horizon(connection: Connection) -> Position:
    """Returns the position at which a reader that starts now begins."""
    row = await sql.horizon(connection)
    return Position(int(row["xid"]) - 1, row["event_id"])


async def tail(connection: Connection, after: Position, n: int) -> list[tuple[Position, Event]]:
    """Returns up to n changes after a position, in an order in which nothing can appear later: never past a transaction that is still open."""
    found = []
    async for row in sql.tail(connection, after_xid=str(after.xid), after_id=after.event_id, n=n):
        event = Event(**{name: row[name] for name in Event.__dataclass_fields__})
        found.append((Position(int(row["xid"]), row["event_id"]), event))
    return found
