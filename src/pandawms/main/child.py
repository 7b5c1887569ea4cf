"""One program under supervision."""

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import structlog

from pandawms.main.processes import Identity, identify

log = structlog.get_logger()

QUICK_SECONDS = 5.0


@dataclass(slots=True)
class Child:
    """One program under supervision; when it dies young it is started again only after a growing pause."""

    name: str
    command: list[str]
    log_path: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0

    def start(self) -> None:
        """Starts the program, its output appended to its log."""
        with self.log_path.open("ab") as output:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=self.environment, start_new_session=True)
        self.started = time.monotonic()

    def look(self) -> bool:
        """Starts the program again when it has ended and its pause is over; returns whether it was started."""
        if self.process is not None and self.process.poll() is None:
            return False
        age = time.monotonic() - self.started
        if age < self.pause_seconds:
            return False
        self.failures = self.failures + 1 if age < QUICK_SECONDS else 0
        log.warning("child.restarted", name=self.name, exit_code=self.process.returncode if self.process else None)
        self.start()
        return True

    @property
    def pause_seconds(self) -> float:
        """How long after its start a program that dies again and again is not started: 0.2 s, doubling up to 5 s."""
        return min(5.0, 0.1 * 2**self.failures) if self.failures else 0.0

    @property
    def identity(self) -> Identity | None:
        """The running process, or None."""
        return identify(self.process.pid) if self.process is not None and self.process.poll() is None else None
