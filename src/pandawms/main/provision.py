"""The program `panda provision`: keeps the local pilots of one queue."""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

import structlog

from pandawms.client.client import Client
from pandawms.domain.errors import Denied, PandaError
from pandawms.main import logs, settings
from pandawms.main.files import write_private
from pandawms.main.stopping import Stop, stoppable
from pandawms.provision.local import Local
from pandawms.provision.loop import Keeper, Options

log = structlog.get_logger()

ROUND_SECONDS = 0.5
STOP_SECONDS = 20.0


def run(data: Path, *, server: str, stop_workers_at_exit: bool) -> None:
    """Keeps the pilots of the local queue until a signal; then ends them when asked to, else (and always at SIGHUP) leaves them to the next provisioner."""
    given = settings.load(data)
    logs.configure(given.log_format)
    token = (data / "tokens" / "operator").read_text().strip()
    system = Local(data / "logs" / "pilots", given.local.wrapper)
    with Client(server, token) as client:
        keeper = Keeper(client, system, _options(given, data, server), write_private)
        with stoppable():
            try:
                _keep(keeper)
            except Stop as stop:
                stop_workers_at_exit = stop_workers_at_exit and stop.number != signal.SIGHUP
                log.info("provision.stopping", with_workers=stop_workers_at_exit)
        if stop_workers_at_exit:
            _stop(keeper, system)


def _keep(keeper: Keeper) -> None:
    while True:
        try:
            keeper.round()
        except Denied:
            raise
        except PandaError as error:
            log.warning("provision.failed", error=error.detail, code=error.code)
        time.sleep(ROUND_SECONDS)


def _stop(keeper: Keeper, system: Local) -> None:
    """Ends all pilots: they stop their payloads and report; those that do not in time are killed."""
    try:
        native_ids = keeper.stop_all()
        deadline = time.monotonic() + STOP_SECONDS
        while keeper.follow() and time.monotonic() < deadline:
            time.sleep(0.1)
        for native_id in native_ids:
            system.kill(native_id)
        keeper.follow()
    except PandaError as error:
        log.error("provision.stop_failed", error=error.detail)


def _options(given: settings.Settings, data: Path, server: str) -> Options:
    base = getattr(sys, "_base_executable", sys.executable)
    programs = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
    return Options(
        queue=given.local.queue, server=server, python=base, pilot=data / "pilot.pyz", work_folder=data / "work", cache_folder=data / "cache",
        token_folder=data / "tokens", idle_seconds=given.local.idle_seconds, interpreters=(base,), uv=shutil.which("uv", path=programs),
    )  # fmt: skip
