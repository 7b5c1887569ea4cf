"""The connection of `panda db` to the database of a data folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from pandawms.store.database import Own


@asynccontextmanager
async def connection(data: Path) -> AsyncIterator[Own]:
    """Opens a connection by the settings, for the length of the block."""
    from pandawms.main.settings import database_options, load
    from pandawms.store.database import connect

    own = await connect(database_options(load(data), data), "db")
    try:
        yield own
    finally:
        await own.close()
