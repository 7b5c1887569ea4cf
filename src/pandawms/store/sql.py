"""Loads the named queries of one aggregate from queries/*.sql."""

from functools import cache
from importlib.resources import files
from typing import Any

import aiosql


@cache
def load(aggregate: str) -> Any:
    """Returns the queries in queries/<aggregate>.sql; each is an async function of a connection and the query's named parameters."""
    text = files("pandawms.store").joinpath("queries", f"{aggregate}.sql").read_text(encoding="utf-8")
    return aiosql.from_str(text, "asyncpg")
