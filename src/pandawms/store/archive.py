"""Ranges of old jobs whose details leave the database for files: which may go, how far each has come, and where a job's details are.

A range is one partition. Its states are `writing` (files are being made), `written` (the files are complete and are the truth about it), `retired` (only the
narrow archive rows are left) and `gone` (these are in the file alone, too). Whoever is killed leaves a state from which the next one goes on.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pandawms.domain.errors import Conflict
from pandawms.store.database import Connection
from pandawms.store.partitions import Range
from pandawms.store.sql import load

sql = load("archive")

DETAILS = ("job_spec", "job_file", "job_event", "job_payload")
"""What leaves the database when a range is retired."""
ROWS = "job_archive"
"""What stays until a range is gone: a narrow row a job."""
DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Archived:
    """A range that is on its way out, or out."""

    span: Range
    state: str
    n_jobs: int
    last_ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Written:
    """A complete file of one table of a range; `path` is relative to the folder of exports."""

    table_name: str
    path: str
    n_rows: int
    size_bytes: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Ready:
    """A range that may go."""

    span: Range
    n_jobs: int
    last_ended_at: datetime


@dataclass(frozen=True, slots=True)
class Exported:
    """What is left of a job whose details are in files; all but the range and the path are None when its narrow row is in a file, too."""

    from_id: int
    to_id: int
    path: str
    task_id: int | None
    task_name: str | None
    owner_id: int | None
    community: str | None
    queue: str | None
    attempt: int | None
    status: str | None
    worker_id: int | None
    error_domain: str | None
    error_code: int | None
    exit_code: int | None
    exit_signal: int | None
    message: str | None
    is_retryable: bool | None
    started_at: datetime | None
    ended_at: datetime | None
    wall_seconds: float | None
    cpu_seconds: float | None
    max_rss_mb: int | None


@asynccontextmanager
async def alone(connection: Connection) -> AsyncIterator[None]:
    """Makes this session the only one that archives, for the length of the block. Raises Conflict when another does."""
    if not await sql.hold(connection):
        raise Conflict(
            "another process is archiving", code="archive.running", hint="wait until it has ended; the engine archives, too, when archive.keep_days is set"
        )
    try:
        yield
    finally:
        if not connection.is_closed():
            await sql.release(connection)


async def ready(connection: Connection, span: Range, keep_days: float) -> Ready | None:
    """Returns a range if all its jobs and their tasks have ended, the last of them longer ago than so many days; None when something stands in the way."""
    found = await sql.look(connection, from_id=span.from_id, to_id=span.to_id, keep_seconds=keep_days * DAY_SECONDS)
    if not found["is_full"] or found["has_hot_jobs"] or found["has_young_jobs"] or found["has_young_tasks"]:
        return None
    counts = await sql.count_ended(connection, from_id=span.from_id, to_id=span.to_id)
    if counts["n_ended"] == 0 or counts["n_specs"] != counts["n_ended"]:
        return None
    return Ready(span, counts["n_ended"], counts["last_ended_at"])


async def ranges(connection: Connection) -> list[Archived]:
    """Returns all ranges that are on their way out, or out, lowest first."""
    return [_archived(row) async for row in sql.ranges(connection)]


async def old_rows(connection: Connection, keep_days: float) -> list[Archived]:
    """Returns the retired ranges whose youngest job ended longer ago than so many days."""
    return [_archived(row) async for row in sql.old_rows(connection, keep_seconds=keep_days * DAY_SECONDS)]


async def begin(connection: Connection, found: Ready) -> None:
    """Keeps that a range is being written."""
    await sql.begin(connection, from_id=found.span.from_id, to_id=found.span.to_id, n_jobs=found.n_jobs, last_ended_at=found.last_ended_at)


async def forget(connection: Connection, span: Range) -> None:
    """Keeps that a range stays in the database after all; only while it is being written."""
    await sql.forget_files(connection, from_id=span.from_id)
    await sql.forget(connection, from_id=span.from_id)


async def files(connection: Connection, span: Range) -> dict[str, Written]:
    """Returns the files of a range by table."""
    return {row["table_name"]: Written(**row) async for row in sql.files(connection, from_id=span.from_id)}


async def add_file(connection: Connection, span: Range, file: Written) -> None:
    """Keeps that a file is complete under its name."""
    await sql.add_file(
        connection, from_id=span.from_id, table_name=file.table_name, path=file.path, n_rows=file.n_rows, size_bytes=file.size_bytes, sha256=file.sha256
    )


async def drop_file(connection: Connection, span: Range, table_name: str) -> None:
    """Forgets a file, so that it is written anew."""
    await sql.drop_file(connection, from_id=span.from_id, table_name=table_name)


async def note_written(connection: Connection, span: Range) -> None:
    """Keeps that all files of a range are complete: from now on they are the truth about its details."""
    await sql.written(connection, from_id=span.from_id)


async def note_retired(connection: Connection, span: Range) -> None:
    """Keeps that a range has only its narrow archive rows left."""
    await sql.retired(connection, from_id=span.from_id)


async def note_gone(connection: Connection, span: Range) -> None:
    """Keeps that nothing of a range is left in the database."""
    await sql.gone(connection, from_id=span.from_id)


async def count(connection: Connection, table: str, span: Range) -> int:
    """Returns how many rows a table has in a range."""
    if table not in (*DETAILS, ROWS):
        raise KeyError(table)
    return int(await connection.fetchval(f"SELECT count(*) FROM {table} WHERE job_id >= $1 AND job_id < $2", span.from_id, span.to_id))


async def floor(connection: Connection) -> int:
    """Returns the id below which no job has more than its narrow archive row left in the database; 0 when there is none."""
    return int(await sql.floor(connection))


async def exported(connection: Connection, job_id: int) -> Exported | None:
    """Returns what is left of a job whose details are in files, and in which; None when they are not."""
    row = await sql.exported(connection, job_id=job_id)
    return row and Exported(**row)


def _archived(row: Any) -> Archived:
    return Archived(Range(row["from_id"], row["to_id"]), row["state"], row["n_jobs"], row["last_ended_at"])
