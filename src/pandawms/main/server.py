"""The program `panda server`: the REST API over one database, beside any number of others like it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncpg
import structlog
import uvicorn

from pandawms.api import tokens
from pandawms.api.app import create_app
from pandawms.api.core import Core, make_core
from pandawms.data.blobs import Blobs
from pandawms.domain.errors import Invalid
from pandawms.engine.watch.hearing import hear
from pandawms.main import logs, settings
from pandawms.main.engine import services
from pandawms.main.stopping import stop_event
from pandawms.store import wake
from pandawms.store.database import Options, listening, open_pool

log = structlog.get_logger()

HEAR_SECONDS = 1.0
STOP_SECONDS = 3
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def run(data: Path, *, host: str | None = None, port: int | None = None) -> None:
    """Serves the API of a data folder until it is asked to stop, then within 5 s. Raises Invalid for an open address without TLS."""
    given = settings.load(data)
    logs.configure(given.log_format)
    config = _config(given.server, host or given.server.host, port or given.server.port or 8080)
    asyncio.run(_run(given, data, config))


def _config(given: settings.ServerSettings, host: str, port: int) -> uvicorn.Config:
    if host not in LOOPBACK and not (given.tls_certificate and given.tls_key):
        raise Invalid(
            f"{host} can be reached from outside, and there is no TLS", code="server.tls", field="server.tls_certificate", value=given.tls_certificate,
            allowed="paths of a certificate and its key", hint="set server.tls_certificate and server.tls_key, or listen on 127.0.0.1",
        )  # fmt: skip
    return uvicorn.Config(
        app=_no_app, host=host, port=port, ssl_certfile=given.tls_certificate or None, ssl_keyfile=given.tls_key or None, loop="uvloop", http="httptools",
        log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=STOP_SECONDS, timeout_keep_alive=75,
    )  # fmt: skip


async def _no_app(_scope: object, _receive: object, _send: object) -> None:
    """Stands in until the application is made, inside the running loop."""


async def _run(given: settings.Settings, data: Path, config: uvicorn.Config) -> None:
    stop = stop_event()
    options = settings.database_options(given, data)
    key = tokens.load_or_create_key(data / "keys" / "issuer.json")
    async with open_pool(options, "server") as pool:
        core = make_core(pool, services(given, data), Blobs(data / "blobs"), key)
        await hear(pool, core.services)
        config.app = create_app(core)
        server = _Server(config)
        background = [asyncio.create_task(_keep_hearing(core, stop)), asyncio.create_task(_keep_listening(core, options, stop))]
        background.append(asyncio.create_task(_stop(server, core, stop)))
        log.info("server.started", host=config.host, port=config.port)
        await server.serve()
        stop.set()
        core.stopping.set()
        await asyncio.gather(*background)
    log.info("server.stopped")


class _Server(uvicorn.Server):
    """uvicorn's server, which leaves signals to `main.stopping`."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures none."""
        yield


async def _stop(server: uvicorn.Server, core: Core, stop: asyncio.Event) -> None:
    await stop.wait()
    core.stopping.set()
    server.should_exit = True


async def _keep_hearing(core: Core, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await hear(core.pool, core.services)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("server.deaf", error=str(error))
        await _pause(stop, HEAR_SECONDS)


async def _keep_listening(core: Core, options: Options, stop: asyncio.Event) -> None:
    """Wakes claims that wait when jobs become ready; without it they look again by themselves."""
    while not stop.is_set():
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            async with listening(options, "server", {wake.QUEUES: core.dispatcher.ring}) as connection:
                while not stop.is_set() and not connection.is_closed():
                    await _pause(stop, 1)
        await _pause(stop, 1)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), timeout=seconds)
