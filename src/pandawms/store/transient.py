"""Transient outputs: which of them nobody needs any more, and what is left of their content."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from pandawms.store.database import Connection
from pandawms.store.sql import load

sql = load("transient")


@dataclass(frozen=True, slots=True)
class Copy:
    """A file on a storage endpoint."""

    file_id: int
    endpoint_id: int
    root_url: str
    scope: str
    name: str


async def removable(connection: Connection, done_before: datetime, n: int) -> list[int]:
    """Returns up to n transient outputs whose task and readers (one at least) are all done since before then; the caller's until its transaction ends."""
    return [row["dataset_id"] async for row in sql.removable(connection, done_before=done_before, n=n)]


async def remove(connection: Connection, dataset_ids: Sequence[int]) -> list[int]:
    """Takes closed datasets out of the catalogue's names and returns their ids."""
    return [row["dataset_id"] async for row in sql.remove(connection, dataset_ids=list(dataset_ids))]


async def content(connection: Connection, n: int) -> list[Copy]:
    """Returns up to n copies of files of removed transient outputs, whose content is to be deleted; none that a fork shares."""
    return [Copy(**row) async for row in sql.content(connection, n=n)]


async def forget(connection: Connection, copies: Sequence[Copy]) -> None:
    """Keeps that these copies are deleted."""
    await sql.forget(connection, file_ids=[copy.file_id for copy in copies], endpoint_ids=[copy.endpoint_id for copy in copies])


async def removed(connection: Connection, task_id: int, roles: Collection[str]) -> str | None:
    """Returns the name of a transient dataset that a task reads (role input) or wrote (output) and that was removed; None without any."""
    found: str | None = await sql.removed(connection, task_id=task_id, roles=sorted(roles))
    return found
