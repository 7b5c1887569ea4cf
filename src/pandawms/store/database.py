"""Connections to PostgreSQL: pools for stages and handlers, for the hot path and for reads; and a connection that listens."""

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

    `url` is a libpq URL; `statement_timeout_seconds` cuts off a statement, `idle_in_transaction_seconds` a forgotten transaction. The `hot_` limits are
    those of pools opened for the hot path. `is_read_only` lets no statement change anything: for pools of lists and reports.
    """

    url: str
    min_connections: int = 1
    max_connections: int = 8
    statement_timeout_seconds: int = 60
    idle_in_transaction_seconds: int = 60
    connect_timeout_seconds: int = 10
    hot_connections: int = 4
    hot_statement_seconds: int = 10
    is_read_only: bool = False


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
    } | ({"default_transaction_read_only": "on"} if options.is_read_only else {})


HOT_IDLE_SECONDS = 10


def hot_settings(options: Options) -> dict[str, str]:
    """What a connection of the hot path sets beside: one plan for ever, by indexes and nested loops only, and short limits.

    A planner that is free guesses thousands of rows where a batch has fifty, and turns to a scan of the whole backlog: 213 claims/s instead of 34,000
    (docs/explanation/hot-path.md).
    """
    return {
        "plan_cache_mode": "force_generic_plan",
        "enable_seqscan": "off",
        "enable_hashjoin": "off",
        "enable_mergejoin": "off",
        "jit": "off",
        "statement_timeout": f"{options.hot_statement_seconds}s",
        "idle_in_transaction_session_timeout": f"{HOT_IDLE_SECONDS}s",
    }


async def _open(*given: Any, **named: Any) -> Own:
    """Connects as the driver does, but tells of a socket that is not there (a server that was killed, or is about to start) as of a port that refuses."""
    try:
        connection: Own = await asyncpg.connect(*given, **named)
    except FileNotFoundError as error:
        raise ConnectionRefusedError(error.errno, "the database's socket is not there") from error
    return connection


@asynccontextmanager
async def open_pool(options: Options, program: str, *, hot: bool = False) -> AsyncIterator[Pool]:
    """Opens a pool for the length of the block: an ordinary one, or a small one for the hot path. Raises Unavailable when no database answers at the URL."""
    try:
        pool = await asyncpg.create_pool(
            options.url,
            min_size=options.min_connections,
            max_size=options.hot_connections if hot else options.max_connections,
            timeout=options.connect_timeout_seconds,
            connect=_open,
            command_timeout=options.statement_timeout_seconds + 2 if options.is_read_only else None,  # a replica may hang without closing its connections
            init=prepare,
            reset=_leave if hot else None,
            server_settings=server_settings(options, program) | (hot_settings(options) if hot else {}),
        )
    except (OSError, asyncpg.PostgresError) as error:
        raise Unavailable(
            f"no database answers: {error}", code="database.unreachable", field="database.url", hint="start it with `panda up`, or mend database.url"
        ) from error
    try:
        yield pool
    finally:
        await _close(pool)


async def _leave(_connection: object) -> None:
    """A connection of the hot path is given back as it is, without a round trip: its statements leave nothing behind in the session."""


async def _close(pool: Pool) -> None:
    """Closes within 5 s; a connection that hangs is cut."""
    try:
        await asyncio.wait_for(pool.close(), timeout=5)
    except TimeoutError:
        pool.terminate()


async def connect(options: Options, program: str) -> Own:
    """Opens one connection of its own, for listening or for a migration."""
    connection = await _open(options.url, timeout=options.connect_timeout_seconds, server_settings=server_settings(options, program))
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
