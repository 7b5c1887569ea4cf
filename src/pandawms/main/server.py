"""The program `panda server`: the REST API over one database, beside any number of others like it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import structlog
import uvicorn
import uvloop

from pandawms.api import tokens
from pandawms.api.app import create_app
from pandawms.api.core import Core, make_core
from pandawms.api.problem import DATABASE_FAILS
from pandawms.data.blobs import Blobs
from pandawms.domain.errors import Unavailable
from pandawms.engine.watch.hearing import hear
from pandawms.main import address, collector, logs, serving, settings, sockets
from pandawms.main.engine import services
from pandawms.main.short_way import ShortWay
from pandawms.main.stopping import stop_event
from pandawms.store import wake
from pandawms.store.database import Options, Pool, listening, open_pool

log = structlog.get_logger()

HEAR_SECONDS = 1.0
DEFAULT_PORT = 8080


def run(data: Path, *, host: str | None = None, port: int | None = None, fd: int | None = None, ready: Callable[[], None] = lambda: None) -> None:
    """Serves the API of a data folder until it is asked to stop, then within 5 s; calls `ready` when it accepts.

    It listens on the socket `fd`, else opens one at `host` and `port`. Raises Invalid for an open address without TLS.
    """
    given = settings.load(data)
    logs.configure(given.log_format)
    listener = sockets.given_socket(fd) if fd is not None else sockets.open_socket(host or given.server.host, port or given.server.port or DEFAULT_PORT)
    with listener:
        config = _config(given.server, listener)
        sockets.allow_many_connections()
        uvloop.run(_run(given, data, config, listener, ready))


def _config(given: settings.ServerSettings, listener: socket.socket) -> uvicorn.Config:
    if listener.family != socket.AF_UNIX:
        address.check_reach(listener.getsockname()[0], given.tls_certificate)
    if given.tls_certificate:
        address.check_files(given.tls_certificate, given.tls_key)
    return uvicorn.Config(
        app=_no_app, ssl_certfile=given.tls_certificate or None, ssl_keyfile=given.tls_key or None, loop="none", http=ShortWay, ws="none",
        interface="asgi3", proxy_headers=False, server_header=False, log_config=None, access_log=False, lifespan="off", backlog=sockets.BACKLOG,
        timeout_graceful_shutdown=serving.STOP_SECONDS, timeout_keep_alive=75,
    )  # fmt: skip


async def _no_app(_scope: object, _receive: object, _send: object) -> None:
    """Stands in until the application is made, inside the running loop."""


async def _run(given: settings.Settings, data: Path, config: uvicorn.Config, listener: socket.socket, ready: Callable[[], None]) -> None:
    stop = stop_event()
    options, reads = settings.database_options(given, data), settings.read_options(given, data)
    key = tokens.load_or_create_key(data / "keys" / "issuer.json")
    async with open_pool(options, "server") as pool, open_pool(options, "hot", hot=True) as hot, _open_read_pool(reads, pool) as read:
        core = make_core(pool, services(given, data), Blobs(data / "blobs"), key, hot_pool=hot, read_pool=read)
        await hear(pool, core.services)
        config.app = create_app(core)
        collector.spare()
        server = serving.Serving(config, ready)
        background = [asyncio.create_task(_keep_hearing(core, stop)), asyncio.create_task(_keep_listening(core, options, stop))]
        background.append(asyncio.create_task(_stop(server, core, stop)))
        log.info("server.started", address=listener.getsockname())
        await server.serve([listener])
        stop.set()
        core.stopping.set()
        await asyncio.gather(*background)
    log.info("server.stopped")


@asynccontextmanager
async def _open_read_pool(options: Options, pool: Pool) -> AsyncIterator[Pool]:
    """Opens the pool for lists and reports. A replica that does not answer at the start is no reason not to serve: they go to the database then."""
    async with AsyncExitStack() as stack:
        try:
            pool = await stack.enter_async_context(open_pool(options, "read"))
        except Unavailable as error:
            log.warning("server.no_replica", error=error.detail)
        yield pool


async def _stop(server: uvicorn.Server, core: Core, stop: asyncio.Event) -> None:
    await stop.wait()
    core.stopping.set()
    server.should_exit = True


async def _keep_hearing(core: Core, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await hear(core.pool, core.services)
        except DATABASE_FAILS as error:
            log.warning("server.deaf", error=str(error))
        await _pause(stop, HEAR_SECONDS)


async def _keep_listening(core: Core, options: Options, stop: asyncio.Event) -> None:
    """Wakes claims that wait when jobs become ready; without it they look again by themselves."""
    while not stop.is_set():
        with suppress(*DATABASE_FAILS):
            async with listening(options, "server", {wake.QUEUES: core.room.ring}) as connection:
                core.room.ring_all()  # what was said while nobody listened
                while not stop.is_set() and not connection.is_closed():
                    await _pause(stop, 1)
        await _pause(stop, 1)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), timeout=seconds)
