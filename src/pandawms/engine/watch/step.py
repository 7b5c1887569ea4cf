"""The clock: ends what nobody holds any more and makes room ahead of need."""

from contextlib import suppress

import asyncpg

from pandawms.domain.stages import Stage
from pandawms.engine.services import Services
from pandawms.engine.watch import timers, transient, void_inputs
from pandawms.engine.watch.plan import lost, orphaned
from pandawms.store import brokerage, catalogue, endings, hearing, idempotency, leases, partitions, places, retry_rules
from pandawms.store.database import Connection, Pool

WHO = str(Stage.WATCH)


async def step(pool: Pool, services: Services) -> int:
    """One round; returns how many jobs were ended, and for how many jobs and tasks a limit was enforced.

    Room is made first: it must not depend on how the rest goes.
    """
    await _make_partitions(pool)
    async with pool.acquire() as connection, connection.transaction():
        ended = 0
        if await hearing.is_hearing(connection, services.options.hearing_gap_seconds):
            ended = await _end_lost(connection, services)
    async with pool.acquire() as connection, connection.transaction():
        await brokerage.drop_expired(connection)
        await idempotency.drop_old(connection, days=7)
        await retry_rules.drop_old(connection, days=retry_rules.KEPT_DAYS)
        await places.count_jobs(connection)
    await _drop_sandboxes(pool, services)
    return ended + await transient.step(pool, services) + await timers.step(pool, services) + await void_inputs.step(pool, services)


async def _make_partitions(pool: Pool) -> None:
    """Makes room ahead of need, beside running jobs; behind a vacuum or a change of the schema it gives up after 2 s, and the next round tries again."""
    with suppress(asyncpg.LockNotAvailableError):
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("SET LOCAL lock_timeout = '2s'")
            await partitions.make_ahead(connection)


async def _drop_sandboxes(pool: Pool, services: Services) -> None:
    """Deletes the contents of sandboxes that expired and that nobody owns or needs; an upload of the same content waits for the commit."""
    async with pool.acquire() as connection:
        for digest in await catalogue.expired_sandboxes(connection, 100):
            async with connection.transaction():
                await catalogue.lock_sandbox(connection, digest)
                if await catalogue.forget_sandbox(connection, digest):
                    services.blobs.sandbox(digest).unlink(missing_ok=True)


async def _end_lost(connection: Connection, services: Services) -> int:
    gone = [lost(job) for job in await leases.lock_expired(connection, services.options.jobs_per_step)]
    known = {ending.job_id for ending in gone}
    gone += [orphaned(job) for job in await leases.lock_orphaned(connection, services.options.jobs_per_step) if job.job_id not in known]
    await endings.end(connection, gone, WHO)
    return len(gone)
