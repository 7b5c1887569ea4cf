"""Real pilots as processes, from the zipapp, under the oldest Python that is here."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.pilot.pilot_server import TOKEN, PilotServer


def oldest_python() -> str:
    """Python 3.9 where there is one (on PATH or pyenv's), else the interpreter behind these tests."""
    installed = sorted((Path.home() / ".pyenv" / "versions").glob("3.9.*/bin/python3.9"))
    found = shutil.which("python3.9")
    works = found is not None and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0
    if works and found is not None:
        return found
    return str(installed[-1]) if installed else str(sys._base_executable)  # type: ignore[attr-defined]  # not in typeshed


def wait_until(condition: Callable[[], object], seconds: float = 15.0) -> None:
    """Waits for something that only looking can tell, such as the end of a process."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        pause.wait(0.02)


def is_alive(process: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def guard_of(pilot: int) -> int:
    """The pilot's guard: its one child."""
    children = Path(f"/proc/{pilot}/task/{pilot}/children").read_text().split()
    return int(children[0])


@dataclass
class Node:
    """A worker node: the zipapp, folders, and the pilots that run there."""

    pilot_file: Path
    folder: Path
    cache: Path
    server: PilotServer
    pilots: list[subprocess.Popen[bytes]]

    @property
    def work(self) -> Path:
        """Where pilots make their folders."""
        return self.folder / "work"

    @property
    def storage(self) -> Path:
        """A storage endpoint."""
        return self.folder / "storage"

    def start(self, *options: str, wrapper: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        """Starts a pilot with an empty environment; `wrapper` are words before its command line."""
        token = self.folder / "token"
        token.write_text(TOKEN + "\n")
        known = ["--server", self.server.url, "--queue", "here", "--token-file", str(token)]
        folders = ["--work-dir", str(self.work), "--cache-dir", str(self.cache), "--min-free-disk-mb", "10"]
        with (self.folder / "pilot.err").open("ab") as errors:
            pilot = subprocess.Popen([*wrapper, oldest_python(), "-I", str(self.pilot_file), *known, *folders, *options], env={}, stderr=errors)
        self.pilots.append(pilot)
        return pilot

    def run(self, *options: str, seconds: float = 30.0) -> int:
        """Runs a pilot for one job, to its end."""
        return self.start("--max-jobs", "1", *options).wait(seconds)

    def said(self) -> str:
        """All that the pilots logged."""
        return (self.folder / "pilot.err").read_text()

    def output(self, name: str, **more: object) -> dict[str, object]:
        """An output file of a job."""
        url = (self.storage / name).as_uri()
        return {"stream": "out", "name": name, "local_name": name, "destination": url, **more}

    def close(self) -> None:
        """Ends what is left."""
        for pilot in self.pilots:
            if pilot.poll() is None:
                os.kill(pilot.pid, signal.SIGKILL)
            pilot.wait()
