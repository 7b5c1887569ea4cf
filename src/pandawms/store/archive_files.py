"""Tables of a range of jobs as Parquet files, one a table; needs pyarrow (the extra `archive`).

Rows are read by the primary key in chunks, each a short COPY of its own, so that neither memory nor the age of the oldest snapshot grows with the range:
a snapshot that stays open for 20 s slows claims to a tenth. Chunks need no common snapshot, as nothing writes to the rows of jobs that have ended.
"""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv
from pyarrow import parquet as pq

from pandawms.domain.errors import Conflict
from pandawms.store.archive import Written, sql
from pandawms.store.database import Connection
from pandawms.store.partitions import Range

CHUNK_ROWS = 20_000
"""Rows of one COPY, and of one row group: about 10 MB."""
HASH_BYTES = 1 << 20

KEYS = {
    "job_spec": ("job_id",), "job_file": ("job_id", "n"), "job_event": ("job_id", "event_id"), "job_payload": ("job_id", "task_file_id"),
    "job_archive": ("job_id",),
}  # fmt: skip
TYPES = {
    "bigint": pa.int64(), "integer": pa.int32(), "smallint": pa.int16(), "boolean": pa.bool_(), "real": pa.float32(), "double precision": pa.float64(),
    "timestamp with time zone": pa.timestamp("us", tz="UTC"),
}  # fmt: skip
"""Every other type travels as text, json among them."""
NAMES = {
    "job_archive": {
        "task_name": "(SELECT t.name FROM task t WHERE t.task_id = x.task_id)",
        "owner": "(SELECT u.name FROM task t JOIN user_account u ON u.user_id = t.owner_id WHERE t.task_id = x.task_id)",
        "queue": "(SELECT q.name FROM queue q WHERE q.queue_id = x.queue_id)",
        "community": "(SELECT c.name FROM community c WHERE c.community_id = x.community_id)",
    }
}
"""Names that stand beside the numbers, so that a file can be read by itself."""

AfterChunk = Callable[[int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a file: its name, the SQL of its value, and its type."""

    name: str
    expression: str
    type: pa.DataType


async def write(connection: Connection, table: str, span: Range, folder: Path, path: str, after_chunk: AfterChunk) -> Written:
    """Writes the rows of one table of a range to `folder/path`, and returns what was written; under that name there is a complete file or none.

    Calls `after_chunk` with the number of rows of each chunk. Raises Conflict when the file does not hold as many rows as were read.
    """
    target = folder / path
    part = target.with_name(f"{target.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    columns = await _columns(connection, table)
    n_rows = 0
    with pq.ParquetWriter(part, pa.schema([(column.name, column.type) for column in columns]), compression="zstd") as writer:
        async for chunk in _chunks(connection, table, span, columns):
            await asyncio.to_thread(writer.write_table, chunk)
            n_rows += chunk.num_rows
            await after_chunk(chunk.num_rows)
    return await asyncio.to_thread(_settle, part, target, Written(table, path, n_rows, 0, b""))


def _settle(part: Path, target: Path, expected: Written) -> Written:
    """Looks at what is on the disk, and gives it its name."""
    found = pq.read_metadata(part).num_rows
    if found != expected.n_rows:
        raise Conflict(f"{part} holds {found} rows instead of {expected.n_rows}", code="archive.verify", value=found, allowed=str(expected.n_rows))
    digest = hashlib.sha256()
    with part.open("rb") as file:
        os.fsync(file.fileno())
        while block := file.read(HASH_BYTES):
            digest.update(block)
    size_bytes = part.stat().st_size
    part.rename(target)
    _sync_folder(target.parent)
    _sync_folder(target.parent.parent)
    return Written(expected.table_name, expected.path, expected.n_rows, size_bytes, digest.digest())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


async def _columns(connection: Connection, table: str) -> list[Column]:
    found = [_column(row["name"], row["type"]) async for row in sql.columns(connection, table_name=table)]
    return found + [Column(name, expression, pa.string()) for name, expression in NAMES.get(table, {}).items()]


def _column(name: str, type_name: str) -> Column:
    known = TYPES.get(type_name)
    return Column(name, f"x.{name}" if known is not None else f"x.{name}::text", pa.string() if known is None else known)


async def _chunks(connection: Connection, table: str, span: Range, columns: list[Column]) -> AsyncIterator[Any]:
    """Yields the rows of a table in the order of its key, a bounded number at a time."""
    last: tuple[int, ...] | None = None
    while True:
        chunk = await asyncio.to_thread(_parsed, await _copied(connection, table, span, columns, last), columns)
        if chunk.num_rows:
            yield chunk
        if chunk.num_rows < CHUNK_ROWS:
            return
        last = tuple(chunk.column(name)[-1].as_py() for name in KEYS[table])


async def _copied(connection: Connection, table: str, span: Range, columns: list[Column], last: tuple[int, ...] | None) -> BytesIO:
    """One chunk as CSV. Only names of columns and whole numbers become part of the statement, which COPY takes without parameters."""
    key = ", ".join(f"x.{name}" for name in KEYS[table])
    behind = "" if last is None else f" AND ({key}) > ({', '.join(str(int(number)) for number in last)})"
    selected = ", ".join(f"{column.expression} AS {column.name}" for column in columns)
    query = (
        f"SELECT {selected} FROM {table} x WHERE x.job_id >= {span.from_id if last is None else int(last[0])} AND x.job_id < {span.to_id}{behind}"
        f" ORDER BY {key} LIMIT {CHUNK_ROWS}"
    )
    buffer = BytesIO()
    await connection.copy_from_query(query, output=buffer, format="csv")
    return buffer


def _parsed(buffer: BytesIO, columns: list[Column]) -> Any:
    """The CSV as a table. An empty field is NULL, an empty text is quoted."""
    names = [column.name for column in columns]
    if not buffer.tell():
        return pa.schema([(column.name, column.type) for column in columns]).empty_table()
    convert = csv.ConvertOptions(
        column_types={column.name: column.type for column in columns}, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False,
        true_values=["t"], false_values=["f"],
    )  # fmt: skip
    parse = csv.ParseOptions(newlines_in_values=True)
    return csv.read_csv(pa.py_buffer(buffer.getvalue()), csv.ReadOptions(column_names=names, use_threads=False, block_size=64 << 20), parse, convert)
