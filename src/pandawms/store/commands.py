"""Commands: what users and operators ask, until the command stage has applied it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pandawms.store.database import Connection
from pandawms.store.sql import load, made_or_found

sql = load("commands")


@dataclass(frozen=True, slots=True)
class Pending:
    """A command that is not applied yet; it is about a task or about a job."""

    command_id: int
    verb: str
    task_id: int | None
    job_id: int | None
    arguments: dict[str, Any]
    asked_by: int
    asker: str
    asked_at: datetime


async def ask(connection: Connection, verb: str, *, task_id: int | None = None, job_id: int | None = None, asked_by: int,
              arguments: dict[str, Any] | None = None) -> int:  # fmt: skip
    """Writes a command and returns its id; the same command still pending is returned instead of written twice."""
    return await made_or_found(sql.ask, connection, verb=verb, task_id=task_id, job_id=job_id, arguments=arguments or {}, asked_by=asked_by)


async def take(connection: Connection, n: int) -> list[Pending]:
    """Returns up to n pending commands, oldest first, for the caller alone until its transaction ends."""
    return [Pending(**{name: row[name] for name in Pending.__dataclass_fields__}) async for row in sql.take(connection, n=n)]


async def answer(connection: Connection, command_id: int, text: str) -> None:
    """Marks a command as applied, with what came of it."""
    await sql.answer(connection, command_id=command_id, answer=text)
