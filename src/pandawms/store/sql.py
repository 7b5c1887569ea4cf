"""Loads the named queries of one aggregate from queries/*.sql."""

from functools import cache
from importlib.resources import files
from typing import Any

import aiosql

from pandawms.domain.errors import Unavailable


async def made_or_found(query: Any, connection: Any, **given: Any) -> int:
    """Returns the id from a query that makes a row or, when there is one, finds it.

    The first run gives nothing when another transaction made the row while it waited: its picture of the table is older. The next run sees it.
    """
    for _ in range(3):
        found = await query(connection, **given)
        if found is not None:
            return int(found)
    raise Unavailable("a row that others make and remove could not be made", code="database.busy", hint="try again")


@cache
def load(aggregate: str) -> Any:
    """Returns the queries in queries/<aggregate>.sql; each is an async function of a connection and the query's named parameters."""
    text = files("pandawms.store").joinpath("queries", f"{aggregate}.sql").read_text(encoding="utf-8")
    return aiosql.from_str(text, "asyncpg")
