"""Waiting for a condition with a deadline."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from pandawms.store.database import Pool


async def until(holds: Callable[[], Awaitable[bool]], what: str, seconds: float = 10) -> None:
    """Returns as soon as the condition holds; raises AssertionError that names it after so many seconds."""
    deadline = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain: {what}"
        await asyncio.sleep(0.005)


async def until_blocked(pool: Pool, pid: int) -> None:
    """Returns when this backend waits for a lock."""

    async def blocked() -> bool:
        async with pool.acquire() as connection:
            return bool(await connection.fetchval("SELECT cardinality(pg_blocking_pids($1)) > 0", pid))

    await until(blocked, f"backend {pid} waits for a lock")


async def until_waits_for(pool: Pool, pid: int) -> None:
    """Returns when some backend waits for a lock that this one holds."""

    async def waits() -> bool:
        async with pool.acquire() as connection:
            return bool(await connection.fetchval("SELECT count(*) > 0 FROM pg_stat_activity a WHERE $1 = ANY (pg_blocking_pids(a.pid))", pid))

    await until(waits, f"somebody waits for backend {pid}")
