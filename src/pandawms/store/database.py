"""Connections to PostgreSQL: one pool a process, and a connection that listens."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

from pandawms.domain.errors import Unavailable

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

Own: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Connection: TypeAlias = "Own | PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


@dataclass(frozen=True, slots=True)
class Options:
    """Where the database is and how long a statement may take.

    `url` is a libpq URL; `statement_timeout_seconds` cuts off a statement, `idle_in_transaction_seconds` a forgotten transaction.
    """

    url: str
    min_connections: int = 1
    max_connections: int = 8
    statement_timeout_seconds: int = 60
    idle_in_transaction_seconds: int = 60
    connect_timeout_seconds: int = 10


async def prepare(connection: Own) -> None:
    """Makes json and jsonb travel as Python values on this connection."""
    for name in ("json", "jsonb"):
        await connection.set_type_codec(name, schema="pg_catalog", encoder=json.dumps, decoder=json.loads)


def server_settings(options: Options, program: str) -> dict[str, str]:
    """The session settings of every connection; `program` is what pg_stat_activity shows."""
    return {
        "application_name": f"panda-{program}",
        "timezone": "UTC",
        "statement_timeout": f"{options.statement_timeout_seconds}s",
        "idle_in_transaction_session_timeout": f"{options.idle_in_transaction_seconds}s",
    }


@asynccontextmanager
async def open_pool(options: Options, program: str) -> AsyncIterator[Pool]:
    """Opens a pool for the length of the block. Raises Unavailable when no database answers at the URL."""
    try:
        pool = await asyncpg.create_pool(
            options.url,
            min_size=options.min_connections,
            max_size=options.max_connections,
            timeout=options.connect_timeout_seconds,
            init=prepare,
            server_settings=server_settings(options, program),
        )
    except (OSError, asyncpg.PostgresError) as error:
        raise Unavailable(
            f"no database answers: {error}", code="database.unreachable", field="database.url", hint="start it with `panda up`, or mend database.url"
        ) from error
    try:
        yield pool
    finally:
        await _close(pool)


async def _close(pool: Pool) -> None:
    """Closes within 5 s; a connection that hangs is cut."""
    try:
        await asyncio.wait_for(pool.close(), timeout=5)
    except TimeoutError:
        pool.terminate()


async def connect(options: Options, program: str) -> Own:
    """Opens one connection of its own, for listening or for a migration."""
    connection = await asyncpg.connect(options.url, timeout=options.connect_timeout_seconds, server_settings=server_settings(options, program))
    await prepare(connection)
    return connection


@asynccontextmanager
async def listening(options: Options, program: str, channels: dict[str, Callable[[str], None]]) -> AsyncIterator[Own]:
    """Holds a connection that calls `channels[name](payload)` for every NOTIFY; a lost connection is the caller's to notice (`is_closed()`)."""
    connection = await connect(options, f"{program}-listen")
    try:
        for name, call in channels.items():
            await connection.add_listener(name, _payload_to(call))
        yield connection
    finally:
        await connection.close(timeout=2)


def _payload_to(call: Callable[[str], None]) -> Callable[[Any, int, str, object], None]:
    def heard(_connection: Any, _pid: int, _channel: str, payload: object) -> None:
        call(str(payload))

    return heard
