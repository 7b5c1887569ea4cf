"""Whether the system could hear its pilots: leases count only such time."""

from pandawms.store.database import Connection
from pandawms.store.sql import load

sql = load("hearing")


async def beat(connection: Connection) -> float:
    """Notes that a server can hear pilots now, and returns for how many seconds before none could say so (0 at first)."""
    row = await sql.beat(connection)
    return float(row["silence_seconds"])


async def is_hearing(connection: Connection, gap_seconds: float) -> bool:
    """False while no server has said that it hears for longer than the gap."""
    return bool(await sql.is_hearing(connection, gap_seconds=gap_seconds))
