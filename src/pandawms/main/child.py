"""One program under supervision."""

import os
import select
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from pandawms.main.processes import Identity, end, identify

log = structlog.get_logger()

QUICK_SECONDS = 5.0
LAST_WORDS_BYTES = 10_000


@dataclass(slots=True)
class Child:
    """One program under supervision; when it dies young it is started again only after a growing pause.

    `tells` says that the program writes a byte to --ready-fd when it is ready; `sockets` are file descriptors that it is given under their own numbers.
    """

    name: str
    command: list[str]
    log_path: Path
    environment: dict[str, str]
    tells: bool = False
    sockets: tuple[int, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    _ear: int | None = None
    _is_ready: bool = False
    _log_begin: int | None = None

    def start(self) -> None:
        """Starts the program, its output appended to its log."""
        self._hear_no_more()
        self._is_ready, mouth, more = False, None, []
        if self.tells:
            self._ear, mouth = os.pipe()
            more = ["--ready-fd", str(mouth)]
        descriptors = (*self.sockets, *([mouth] if mouth is not None else []))
        try:
            with self.log_path.open("ab") as output:
                self._log_begin = output.tell() if self._log_begin is None else self._log_begin
                self.process = subprocess.Popen(
                    [*self.command, *more], stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=self.environment, start_new_session=True,
                    pass_fds=descriptors,
                )  # fmt: skip
        finally:
            if mouth is not None:
                os.close(mouth)
        self.started = time.monotonic()

    def _hear_no_more(self) -> None:
        if self._ear is not None:
            os.close(self._ear)
            self._ear = None

    @property
    def is_running(self) -> bool:
        """Whether its process has not ended."""
        return self.process is not None and self.process.poll() is None

    @property
    def is_ready(self) -> bool:
        """Whether it runs and has said that it is ready; a program that tells nothing is ready when it runs."""
        if self._ear is not None and select.select([self._ear], [], [], 0)[0]:
            self._is_ready = os.read(self._ear, 1) == b"1"
            self._hear_no_more()
        return self.is_running and (self._is_ready or not self.tells)

    def look(self) -> bool:
        """Starts the program again when it has ended and its pause is over; returns whether it was started."""
        if self.is_running:
            return False
        age = time.monotonic() - self.started
        if age < self.pause_seconds:
            return False
        self.failures = self.failures + 1 if age < QUICK_SECONDS else 0
        log.warning("child.restarted", name=self.name, exit_code=self.process.returncode if self.process else None)
        self.start()
        return True

    def last_error(self) -> str:
        """Returns what the program said last before it died, as commands say it; empty when it said nothing so since its start."""
        if self._log_begin is None:
            return ""
        with suppress(OSError), self.log_path.open("rb") as said:
            said.seek(max(self._log_begin, self.log_path.stat().st_size - LAST_WORDS_BYTES))
            lines = said.read().decode(errors="replace").splitlines()
            return next((line.removeprefix("error: ")[:500] for line in reversed(lines) if line.startswith("error: ")), "")
        return ""

    def end(self, patience_seconds: float) -> None:
        """Ends the program with SIGTERM, and when that does not help in time with SIGKILL."""
        process = self.identity
        if process is not None:
            end(process, patience_seconds)
        if self.process is not None:
            self.process.wait()
        self._hear_no_more()

    @property
    def pause_seconds(self) -> float:
        """How long after its start a program that dies again and again is not started: 0.2 s, doubling up to 5 s."""
        return min(5.0, 0.1 * 2**self.failures) if self.failures else 0.0

    @property
    def identity(self) -> Identity | None:
        """The running process, or None."""
        return identify(self.process.pid) if self.process is not None and self.is_running else None
