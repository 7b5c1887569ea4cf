"""The tables of the benchmark's floor: pgbench lives jobs of the narrowest shape in them."""

from pandawms.store.database import Connection
from pandawms.store.sql import load

sql = load("bench_limit")


async def make(connection: Connection) -> None:
    """Makes the tables anew, empty."""
    await sql.make(connection)


async def fill(connection: Connection, ready: int) -> None:
    """Adds jobs until so many wait to be claimed."""
    await sql.fill(connection, ready=ready)


async def n_ended(connection: Connection) -> int:
    """Returns how many jobs have lived to their end."""
    return int(await sql.n_ended(connection))
