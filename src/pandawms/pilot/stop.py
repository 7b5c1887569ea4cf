"""A request to stop what runs now, from a signal handler or another thread, that a `poll` can wait for."""

from __future__ import annotations

import os
import select
from typing import Protocol

from pandawms.domain.outcome import Outcome
from pandawms.pilot.failures import Stopped

_LONGEST_SECONDS = 86_400.0
"""poll(2) counts milliseconds in 31 bits: whoever waits for longer looks once a day."""


class HasDescriptor(Protocol):
    """A pipe, or a `Stop`."""

    def fileno(self) -> int:
        """Its file descriptor."""


def readable(*files: HasDescriptor, seconds: float | None = None) -> set[int]:
    """The descriptors of those that can be read, or have ended, within so many seconds (None: for ever).

    By poll(2): select(2) knows no descriptor above 1023, and each payload that runs at the same time as others has two.
    """
    poll = select.poll()
    for file in files:
        poll.register(file.fileno(), select.POLLIN)
    patience = None if seconds is None else min(max(seconds, 0.0), _LONGEST_SECONDS) * 1000
    return {descriptor for descriptor, _ in poll.poll(patience)}


class Stop:
    """The first reason to stop; a pipe makes it visible to `poll`. Takes no lock, so a signal handler may call it.

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
        return bool(readable(self, seconds=seconds))

    def check(self) -> None:
        """Raises `Stopped` when a stop is asked for: for loops that copy or wait."""
        if self.outcome is not None:
            raise Stopped(self.outcome)

    def close(self) -> None:
        """Gives the pipe back."""
        os.close(self._reader)
        os.close(self._writer)
