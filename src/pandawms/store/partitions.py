"""Partitions of archive and logs: made before the first row that needs them, taken out when their rows are kept elsewhere."""

from dataclasses import dataclass

from pandawms.store.database import Connection
from pandawms.store.sql import load

sql = load("partitions")

OF_JOBS = ("job_spec", "job_file", "job_event", "job_payload", "job_archive")
"""What is partitioned by ranges of job ids, all alike."""


@dataclass(frozen=True, slots=True)
class Range:
    """The ids from `from_id` up to, but without, `to_id`."""

    from_id: int
    to_id: int

    def __str__(self) -> str:
        return f"{self.from_id}-{self.to_id - 1}"


async def make_ahead(connection: Connection) -> int:
    """Makes the partitions for the ids in use and the next three millions; returns how many were missing.

    Three millions last two minutes at 25,000 new jobs a second, and watch looks every second. Rows are written and read meanwhile.
    """
    return int(await sql.make_ahead(connection, parents=list(OF_JOBS)))


async def ranges(connection: Connection, parent: str) -> list[Range]:
    """Returns the ranges for which a table has partitions, lowest first."""
    return [Range(**row) async for row in sql.ranges(connection, parent=parent)]


async def drop(connection: Connection, parent: str, from_id: int) -> bool:
    """Takes the partition that begins at an id out of its table and deletes it; False when it was gone. The caller has no transaction open.

    Nothing that reads or writes other partitions waits for this; it waits for the transactions that have touched the table. Cut off at any point, the
    next call goes on from there.
    """
    if parent not in OF_JOBS:
        raise KeyError(parent)
    child = f"{parent}_{int(from_id)}"
    state = await sql.state(connection, child=child)
    if state == "attached":
        await connection.execute(f"ALTER TABLE {parent} DETACH PARTITION {child} CONCURRENTLY")
    elif state == "detaching":
        await connection.execute(f"ALTER TABLE {parent} DETACH PARTITION {child} FINALIZE")
    if state is not None:
        await connection.execute(f"DROP TABLE {child}")
    return state is not None
