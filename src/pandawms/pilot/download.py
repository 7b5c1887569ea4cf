"""Sandboxes from the server, with patience for a server that is away."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from pandawms.domain.codes import Code
from pandawms.pilot.failures import failed
from pandawms.pilot.log import Log
from pandawms.pilot.server import Backoff, Refused, Server, Unreachable
from pandawms.pilot.stop import Stop

_GONE = (404, 410)


@dataclass(frozen=True)
class ServerDownload:
    """Tries for `patience_seconds`; raises `JobFailed` after that, and at once when the server has no such sandbox."""

    server: Server
    log: Log
    patience_seconds: float = 1800.0

    def __call__(self, url: str, target: Path, stop: Stop) -> None:
        """Leaves what is at `url` in the file `target`."""
        give_up_at, backoff = time.monotonic() + self.patience_seconds, Backoff()
        while True:
            try:
                return self.server.download(url, target, stop)
            except Refused as error:
                code = Code.MISSING_USER_CODE if error.status in _GONE else Code.SANDBOX_NOT_FETCHED
                raise failed(code, str(error)) from error
            except Unreachable as error:
                self.log.info("sandbox.unanswered", reason=str(error))
                pause = backoff.pause_seconds(error.retry_after_seconds)
                if time.monotonic() + pause > give_up_at:
                    raise failed(Code.SANDBOX_NOT_FETCHED, str(error)) from error
            stop.wait(pause)
            stop.check()
