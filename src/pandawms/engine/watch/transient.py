"""Removes transient outputs that nobody needs any more: the name first, then the content, so that nobody begins to read what is half gone."""

from datetime import timedelta

import structlog

from pandawms.domain.errors import Unavailable
from pandawms.domain.stages import Stage
from pandawms.engine.services import Services
from pandawms.store import events, transient
from pandawms.store.database import Pool

log = structlog.get_logger()

WHO = str(Stage.WATCH)
DATASETS_A_TIME = 50
FILES_A_TIME = 500


async def step(pool: Pool, services: Services) -> int:
    """Removes some datasets, and deletes the content of some files of removed ones; returns how many of both.

    Deleting a file twice is harmless, so that a kill in the middle loses nothing: what is not noted as deleted is deleted again.
    """
    days = services.options.transient_days
    done_before = services.clock() - timedelta(days=days)
    async with pool.acquire() as connection, connection.transaction():
        found = await transient.removable(connection, done_before, DATASETS_A_TIME)
        removed = await transient.remove(connection, found) if found else []
        if removed:
            await events.log_datasets(connection, removed, "expire", "closed", "deleted", WHO)
    return len(removed) + await _delete(pool, services)


async def _delete(pool: Pool, services: Services) -> int:
    """Outside any transaction: the storage may be slow, or away; then it is tried again in the next round."""
    async with pool.acquire() as connection:
        copies = await transient.content(connection, FILES_A_TIME)
    if not copies:
        return 0
    manager = services.data_manager
    try:
        await manager.delete([manager.url(copy.root_url, copy.scope, copy.name) for copy in copies])
    except Unavailable as error:
        log.warning("transient.not_deleted", detail=error.detail, value=error.value)
        return 0
    async with pool.acquire() as connection:
        await transient.forget(connection, copies)
    return len(copies)
