"""The system about itself: which schema it has, and whether engines run."""

from pandawms.store.database import Connection
from pandawms.store.sql import load

sql = load("system")


async def engines(connection: Connection) -> int:
    """Returns how many connections engine processes hold; none means that nothing moves."""
    return int(await sql.engines(connection))


async def schema_version(connection: Connection) -> int:
    """Returns the number of the last migration that was applied."""
    return int(await sql.schema_version(connection) or 0)
