"""Processes of this system on this machine: told apart from others by their start time, ended politely and then for good."""

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from pandawms.main.files import write_private


@dataclass(frozen=True, slots=True)
class Identity:
    """A process: its id, and the tick at which it started, since ids are used again."""

    pid: int
    started_ticks: int

    @property
    def is_alive(self) -> bool:
        """True while this very process runs (a zombie does not)."""
        return ticks(self.pid) == self.started_ticks


def ticks(pid: int) -> int | None:
    """Returns when a process started, in clock ticks after boot (field 22 of /proc/pid/stat); None when it does not run or is a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def identify(pid: int) -> Identity | None:
    """Returns the identity of a running process."""
    started = ticks(pid)
    return None if started is None else Identity(pid, started)


def end(process: Identity, patience_seconds: float) -> bool:
    """Sends SIGTERM and, when that does not help in time, SIGKILL; returns whether the process is gone."""
    for number, patience in ((signal.SIGTERM, patience_seconds), (signal.SIGKILL, 5.0)):
        if not process.is_alive:
            return True
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            return True
        if wait_until(lambda: not process.is_alive, patience):
            return True
    return not process.is_alive


def wait_until(condition: Callable[[], bool], seconds: float, pause_seconds: float = 0.05) -> bool:
    """Waits until the condition holds, at most so long; returns whether it does."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause_seconds)
    return True


@dataclass(frozen=True, slots=True)
class Book:
    """Which processes a `panda up` has started, in a file, for the next one and for `panda down`."""

    path: Path

    def read(self) -> dict[str, Identity]:
        """Returns the processes by name; those that ended are left out."""
        try:
            raw = json.loads(self.path.read_text())
            known = {name: Identity(int(each["pid"]), int(each["started_ticks"])) for name, each in raw.items()}
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            return {}
        return {name: process for name, process in known.items() if process.is_alive}

    def write(self, processes: dict[str, Identity]) -> None:
        """Replaces the book."""
        write_private(self.path, json.dumps({name: asdict(process) for name, process in processes.items()}))
