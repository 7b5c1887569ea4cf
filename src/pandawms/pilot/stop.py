"""A request to stop what runs now, from a signal handler or another thread, that a `select` can wait for."""

from __future__ import annotations

import os
import select

from pandawms.domain.outcome import Outcome
from pandawms.pilot.failures import Stopped


class Stop:
    """The first reason to stop; a pipe makes it visible to `select`. Takes no lock, so a signal handler may call it.

    `gone` says that the job is no longer this pilot's: then nothing is reported and the outputs are deleted.
    """

    def __init__(self) -> None:
        self.outcome: Outcome | None = None
        self.gone = False
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)

    def request(self, outcome: Outcome, gone: bool = False) -> None:
        """Asks to stop; only the first reason counts, but a job that is gone stays gone."""
        self.gone = self.gone or gone
        if self.outcome is None:
            self.outcome = outcome
            os.write(self._writer, b"x")

    def fileno(self) -> int:
        """Readable once a stop is asked for."""
        return self._reader

    def wait(self, seconds: float) -> bool:
        """Waits at most so long; True when a stop is asked for."""
        ready, _, _ = select.select([self._reader], [], [], max(seconds, 0))
        return bool(ready)

    def check(self) -> None:
        """Raises `Stopped` when a stop is asked for: for loops that copy or wait."""
        if self.outcome is not None:
            raise Stopped(self.outcome)

    def close(self) -> None:
        """Gives the pipe back."""
        os.close(self._reader)
        os.close(self._writer)
