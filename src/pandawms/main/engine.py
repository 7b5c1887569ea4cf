"""The program `panda engine`: drives the stages over one database, beside any number of others like it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog
import uvloop

from pandawms.data.blobs import Blobs
from pandawms.data.builtin import BuiltIn
from pandawms.domain.stages import Stage
from pandawms.engine import loop as driving
from pandawms.engine.aggregate.step import step as aggregate
from pandawms.engine.broker.step import step as broker
from pandawms.engine.command.step import step as command
from pandawms.engine.define.step import step as define
from pandawms.engine.generate.step import step as generate
from pandawms.engine.place.step import step as place
from pandawms.engine.services import Services
from pandawms.engine.watch import archiving
from pandawms.engine.watch.step import step as watch
from pandawms.main import collector, logs, settings
from pandawms.main.stopping import stop_event
from pandawms.plugins import loading
from pandawms.store.database import open_pool

log = structlog.get_logger()

STEPS = {
    Stage.DEFINE: define, Stage.BROKER: broker, Stage.GENERATE: generate, Stage.PLACE: place, Stage.AGGREGATE: aggregate, Stage.COMMAND: command,
    Stage.WATCH: watch,
}  # fmt: skip


def services(given: settings.Settings, data: Path) -> Services:
    """Returns what the stages are given: options, plugins and the blob folder."""
    return Services(BuiltIn(), Blobs(data / "blobs"), settings.engine_options(given), loading.broker_rules())


def run(data: Path, ready: Callable[[], None] = lambda: None) -> None:
    """Runs the engine of a data folder until it is asked to stop; calls `ready` when it has begun."""
    given = settings.load(data)
    logs.configure(given.log_format)
    uvloop.run(_run(given, data, ready))


async def _run(given: settings.Settings, data: Path, ready: Callable[[], None]) -> None:
    stop = stop_event()
    options = settings.database_options(given, data)
    async with open_pool(options, "engine") as pool:
        loop = driving.Loop.of(pool, services(given, data), STEPS)
        listener = asyncio.create_task(driving.listen(options, loop, stop))
        archiver = asyncio.create_task(archiving.keep(options, settings.archive_policy(given, data), stop))
        collector.spare()
        log.info("engine.started")
        ready()
        await loop.run(stop)
        await listener
        archiver.cancel()
        await asyncio.wait([archiver])
    log.info("engine.stopped")
