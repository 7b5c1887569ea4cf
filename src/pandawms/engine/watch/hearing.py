"""Keeps the row that says that servers can hear pilots, and gives leases back the time in which none could."""

import structlog

from pandawms.engine.services import Services
from pandawms.store import hearing, leases
from pandawms.store.database import Pool

log = structlog.get_logger()


async def hear(pool: Pool, services: Services) -> float:
    """Says that this server hears pilots now; after a gap every lease gets a full period. Returns the seconds of silence before.

    A server calls it before it takes its first request and then about once a second.
    """
    options = services.options
    async with pool.acquire() as connection, connection.transaction():
        silence = await hearing.beat(connection)
        if silence > options.hearing_gap_seconds:
            extended = await leases.extend_leases(connection, options.lease_seconds)
            log.warning("hearing.resumed", silence_seconds=round(silence, 1), leases_extended=extended)
    return silence
