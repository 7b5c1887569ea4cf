"""Runs one command under the guard and waits for its end: the pilot's side of the pipe to `guard`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

from pandawms.domain.outcome import Outcome
from pandawms.pilot.guard import become_subreaper, children_of
from pandawms.pilot.kept import Kept
from pandawms.pilot.stop import Stop, readable

_GUARD = "import sys; sys.path.insert(0, sys.argv[1]); from pandawms.pilot.guard import main; main()"
_CODE_ROOT = Path(__file__).resolve().parents[2]
_CHUNK_BYTES = 1 << 16


@dataclass(frozen=True)
class Command:
    """What to run. Of each output stream `keep_bytes` are kept; after SIGTERM it has `grace_seconds`, then SIGKILL."""

    argv: tuple[str, ...]
    folder: Path
    variables: dict[str, str]
    stdout: Path
    stderr: Path
    keep_bytes: int = 64 << 20
    grace_seconds: float = 10.0


@dataclass(frozen=True)
class Ended:
    """How a command ended. `stopped` is the reason for which the pilot stopped it, `failure` why it could not run or be
    watched to its end; `cpu_seconds` counts all its descendants, `max_rss_mb` is that of the largest one; `kept` says by
    file name how its outputs stand in their files."""

    exit_code: int | None = None
    signal: int | None = None
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    max_rss_mb: float = 0.0
    stopped: Outcome | None = None
    failure: str = ""
    kept: Mapping[str, Kept] = field(default_factory=dict)

    @property
    def lost_output(self) -> bool:
        """Whether output found no room on the disk."""
        return any(kept.unwritten for kept in self.kept.values())


@dataclass(frozen=True)
class Watch:
    """A check that runs every `seconds` while a command lives; gets the guard's process id and the seconds since the
    start, gives the reason to stop."""

    check: Callable[[int, float], Outcome | None]
    seconds: float


class Guards:
    """All guards of this process that live.

    With `adopts_orphans` this process becomes the reaper of last resort: when a guard is killed, what it kept falls to us
    and is killed. That kills every child of this process that is neither a live guard nor was there before, so only the
    pilot's own process may ask for it, and it starts no other process while payloads run.
    """

    def __init__(self, adopts_orphans: bool) -> None:
        self.adopts_orphans = adopts_orphans
        self._lock = threading.Lock()
        self._live: set[subprocess.Popen[bytes]] = set()
        self._strangers: set[int] = set()
        if adopts_orphans:
            self._strangers.update(children_of(os.getpid()))
            become_subreaper()

    def start(self) -> subprocess.Popen[bytes]:
        """A new guard, known as such before anybody looks for orphans."""
        with self._lock:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _GUARD, str(_CODE_ROOT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
                bufsize=0,
            )
            self._live.add(process)
            return process

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """Waits for a guard, whose pipes are closed. One that was killed has left to us what it kept."""
        status = process.wait()
        with self._lock:
            self._live.discard(process)
            if status != 0 and self.adopts_orphans:
                self._kill_orphans()

    def _kill_orphans(self) -> None:
        """What an orphan leaves behind falls to us in its turn. Ids cannot be reused before we reap them."""
        spared = self._strangers | {process.pid for process in self._live}
        while True:
            orphans = set(children_of(os.getpid())) - spared
            if not orphans:
                return
            for pid in orphans:
                try:
                    os.kill(pid, signal.SIGKILL)
                except PermissionError:  # it has become another user's
                    spared.add(pid)
            for pid in orphans - spared:
                os.waitpid(pid, 0)


class Guarded:
    """One guard process, for one command after the other; a guard that died is replaced before the next one."""

    def __init__(self, guards: Guards) -> None:
        self._guards = guards
        self._process: subprocess.Popen[bytes] | None = None

    def another(self) -> Guarded:
        """One more, for what runs at the same time."""
        return Guarded(self._guards)

    def run(self, command: Command, stop: Stop, watch: Watch | None = None) -> Ended:
        """Runs `command` to its end, which comes by itself, by `stop` or by `watch`; nothing of it is left then."""
        self._ensure()
        return _Run(self, command, stop, watch).to_its_end()

    def _ensure(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        self._process = self._guards.start()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The live guard; `run` has started it."""
        if self._process is None:
            raise RuntimeError("the guard is not running")
        return self._process

    def clean_up(self, payload_id: int | None) -> None:
        """After the guard's death: kills all that was handed down to us, or, where it falls to somebody else, the payload's group."""
        if payload_id is not None and not self._guards.adopts_orphans:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(payload_id, signal.SIGKILL)
        self.close()

    def close(self) -> None:
        """Ends the guard, and with it all that it guards."""
        if self._process is not None:
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            self._guards.end(self._process)
            self._process = None


class _Run:
    """One command's time with the guard."""

    def __init__(self, guarded: Guarded, command: Command, stop: Stop, watch: Watch | None) -> None:
        self._guarded = guarded
        self._command = command
        self._stop = stop
        self._watch = watch
        self._started = time.monotonic()
        self._payload_id: int | None = None
        self._stopped: Outcome | None = None
        self._watch_at = self._started + (watch.seconds if watch else 0)
        self._unread = b""

    def to_its_end(self) -> Ended:
        """Sends the order, then follows events, the stop and the watch."""
        if not self._order({"run": self._wire_form()}):
            return self._guard_died()
        while True:
            events = self._next_events()
            if events is None:
                return self._guard_died()
            for event in events:
                if "started" in event:
                    self._payload_id = event["started"]
                else:
                    return self._ended(event)
            self._look_after()

    def _wire_form(self) -> dict[str, Any]:
        command = self._command
        return {
            "argv": command.argv,
            "cwd": str(command.folder),
            "env": command.variables,
            "stdout": str(command.stdout),
            "stderr": str(command.stderr),
            "keep_bytes": command.keep_bytes,
        }

    def _order(self, order: dict[str, Any]) -> bool:
        line = json.dumps(order).encode() + b"\n"
        descriptor = self._guarded.process.stdin
        try:
            while line and descriptor is not None:
                line = line[descriptor.write(line) :]
        except BrokenPipeError:
            return False
        return True

    def _next_events(self) -> list[dict[str, Any]] | None:
        """Events that are there, none after a while or a stop, None when the guard is dead."""
        pipe = self._guarded.process.stdout
        if pipe is None:
            return None
        patience = self._watch_at - time.monotonic() if self._watch and not self._stopped else None
        ready = readable(pipe, *(() if self._stopped else (self._stop,)), seconds=patience)
        if pipe.fileno() not in ready:
            return []
        data = os.read(pipe.fileno(), _CHUNK_BYTES)
        if not data:
            return None
        *lines, self._unread = (self._unread + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def _look_after(self) -> None:
        if self._stopped is not None:
            return
        reason = self._stop.outcome
        now = time.monotonic()
        if reason is None and self._watch is not None and now >= self._watch_at:
            reason = self._watch.check(self._guarded.process.pid, now - self._started)
            self._watch_at = now + self._watch.seconds
        if reason is not None:
            self._stopped = reason
            self._order({"stop": self._command.grace_seconds})

    def _ended(self, event: dict[str, Any]) -> Ended:
        if "failed" in event:
            return Ended(failure=event["failed"], stopped=self._stopped)
        end = event["ended"]
        return Ended(
            exit_code=end["exit_code"],
            signal=end["signal"],
            wall_seconds=end["wall_seconds"],
            cpu_seconds=end["cpu_seconds"],
            max_rss_mb=end["max_rss_mb"],
            stopped=self._stopped,
            kept=dict(zip((self._command.stdout.name, self._command.stderr.name), map(Kept.from_guard, end["outputs"]))),
        )

    def _guard_died(self) -> Ended:
        self._guarded.clean_up(self._payload_id)
        wall_seconds = time.monotonic() - self._started
        return Ended(wall_seconds=wall_seconds, stopped=self._stopped, failure="the payload's guard was killed")
