"""Loads the named queries of one aggregate from queries/*.sql."""

from collections.abc import AsyncIterator
from functools import cache
from importlib.resources import files
from typing import Any, cast

import aiosql
from aiosql.adapters.asyncpg import AsyncPGAdapter

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


class _OnConnections(AsyncPGAdapter):
    """aiosql's adapter without its look, at every call, whether it was given a pool: ours are always connections (it cost 40 us a statement)."""

    async def select(self, conn: Any, query_name: str, sql: str, parameters: Any, record_class: Any = None) -> AsyncIterator[Any]:
        for row in await conn.fetch(sql, *self._ordered(query_name, parameters)):
            yield row

    async def select_one(self, conn: Any, query_name: str, sql: str, parameters: Any, record_class: Any = None) -> Any:
        return await conn.fetchrow(sql, *self._ordered(query_name, parameters))

    async def select_value(self, conn: Any, query_name: str, sql: str, parameters: Any) -> Any:
        return await conn.fetchval(sql, *self._ordered(query_name, parameters))

    async def insert_update_delete(self, conn: Any, query_name: str, sql: str, parameters: Any) -> Any:
        return await conn.execute(sql, *self._ordered(query_name, parameters))

    def _ordered(self, query_name: str, parameters: Any) -> list[Any]:
        return [parameters[name] for name in self.var_sorted[query_name]]


@cache
def load(aggregate: str) -> Any:
    """Returns the queries in queries/<aggregate>.sql; each is an async function of a connection and the query's named parameters."""
    text = files("pandawms.store").joinpath("queries", f"{aggregate}.sql").read_text(encoding="utf-8")
    return aiosql.from_str(text, cast(Any, _OnConnections))
