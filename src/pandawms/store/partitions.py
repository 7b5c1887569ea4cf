"""Partitions of archive and logs, made before the first row that needs them."""

from pandawms.store.database import Connection
from pandawms.store.sql import load

sql = load("partitions")


async def make_ahead(connection: Connection) -> int:
    """Makes the partitions for the ids in use and the next million; returns how many were missing."""
    return int(await sql.make_ahead(connection))
