"""A whole system as a user runs it: `panda up` in a folder of its own, real pilots; with ways to hurt it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from pandawms.client import Client
from pandawms.main.processes import Book
from pandawms.store.embedded import EmbeddedServer, Options
from pandawms.wire.task import TaskDetail

PANDA = (sys.executable, "-m", "pandawms.main.panda")
UV = Path(sys.executable).with_name("uv")
FINAL = ("done", "finished", "failed", "aborted", "broken")


@dataclass
class Running:
    """One system; `up` is the process of `panda up` itself."""

    data: Path
    folder: Path
    slots: int = 2
    up: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Starts `panda up` and returns when its API answers."""
        (self.data / "run").mkdir(parents=True, exist_ok=True)
        ready = self.data / "run" / "up.json"
        ready.unlink(missing_ok=True)
        with (self.folder / "up.log").open("ab") as log:
            self.up = subprocess.Popen([*PANDA, "--data", str(self.data), "up", "--slots", str(self.slots)], stdout=log, stderr=log, start_new_session=True)
        until(lambda: ready.exists() or self._ended(), 60, "panda up is ready")
        assert self.up.poll() is None, (self.folder / "up.log").read_text()

    def _ended(self) -> bool:
        return self.up is not None and self.up.poll() is not None

    def panda(self, *arguments: str, code: int = 0) -> str:
        """Runs a `panda` command for this system, checks its exit code and returns its output."""
        return self.panda_in(self.folder, *arguments, code=code)

    def try_panda(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Runs a `panda` command for this system, whatever comes of it."""
        return subprocess.run([*PANDA, "--data", str(self.data), *arguments], cwd=self.folder, capture_output=True, text=True, timeout=120)

    def panda_in(self, folder: Path, *arguments: str, code: int = 0) -> str:
        """Runs a `panda` command in a folder, checks its exit code and returns its output."""
        done = subprocess.run([*PANDA, "--data", str(self.data), *arguments], cwd=folder, capture_output=True, text=True, timeout=120)
        assert done.returncode == code, f"panda {' '.join(arguments)} ended with {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout

    @contextmanager
    def client(self) -> Iterator[Client]:
        """A client of this system with its user's token."""
        url = json.loads((self.data / "run" / "endpoint.json").read_text())["url"]
        with Client(url, (self.data / "tokens" / "user").read_text().strip()) as client:
            yield client

    def share_downloads(self) -> None:
        """Lets pilots take packages from where this user's uv keeps what it has downloaded, in place of downloading them once more."""
        (self.data / "cache").mkdir(exist_ok=True)
        (self.data / "cache" / "uv").symlink_to(subprocess.run([UV, "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip())

    def submit(self, name: str, **changes: Any) -> str:
        """Submits a task that prints its event numbers and adds them up in a merge; returns its name."""
        document = counting_task(name) | changes
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        self.panda("submit", str(path))
        return name

    def task(self, name: str) -> TaskDetail:
        """What the API says of a task."""
        with self.client() as client:
            return client.tasks.get(name)

    def wait(self, name: str, seconds: float = 90) -> TaskDetail:
        """Waits until a task has ended and returns it."""
        until(lambda: self.task(name).status in FINAL, seconds, f"task {name} has ended")
        return self.task(name)

    def wait_running(self, name: str, seconds: float = 60) -> None:
        """Waits until a job of the task runs its payload."""
        until(lambda: bool(payloads(name)), seconds, f"a payload of {name} runs")

    def pid(self, name: str) -> int:
        """The process of one part: up, server, engine, provision or postgres."""
        if name == "up":
            assert self.up is not None
            return self.up.pid
        if name == "postgres":
            return postmaster(self.data)
        return Book(self.data / "run" / "processes.json").read()[name].pid

    def kill(self, name: str) -> None:
        """kill -9 of one part."""
        os.kill(self.pid(name), signal.SIGKILL)

    def pilots(self) -> list[int]:
        """The pilots of this system (their first process each)."""
        return [pid for pid, command in commands() if str(self.data / "pilot.pyz") in command and "--worker-id" in command and "guard" not in command]

    def stop(self) -> None:
        """Ends it all by `panda down`."""
        subprocess.run([*PANDA, "--data", str(self.data), "down"], capture_output=True, timeout=120)
        if self.up is not None:
            self.up.wait(30)


@contextmanager
def started(settings: str = "", slots: int = 2) -> Iterator[Running]:
    """A fresh system with these settings (TOML) for the length of the block; nothing is left of it afterwards."""
    with TemporaryDirectory(prefix="panda-system-", ignore_cleanup_errors=True) as folder:
        system = Running(Path(folder) / "data", Path(folder), slots)
        system.data.mkdir()
        (system.data / "panda.toml").write_text(settings)
        system.start()
        try:
            yield system
        finally:
            system.stop()
            EmbeddedServer(Options(folder=system.data / "postgres")).remove()


def counting_task(name: str, jobs: int = 8, seconds: float = 0.4) -> dict[str, Any]:
    """A task of `jobs` jobs with 5 events each: every job writes its event numbers, a merge job puts them together."""
    return {
        "name": name,
        "program": {"command": f"sleep {seconds} # payload-of-{name}\nseq %FIRST_EVENT $((%FIRST_EVENT + %EVENTS - 1)) > %OUT"},
        "inputs": {"events": {"count": 5 * jobs}},
        "split": {"events_per_job": 5},
        "outputs": {"numbers": "numbers.txt"},
        "merge": {"inputs": "numbers", "command": "cat %IN > %OUT", "outputs": {"all": "all.txt"}},
        "retry": {"max_attempts": 10},
        "scouts": {"jobs": 0},
    }


def check_complete(running: Running, name: str, jobs: int = 8) -> TaskDetail:
    """Asserts that the task is done and that the merged output has every event number exactly once; returns the task."""
    task = running.wait(name)
    assert task.status == "done", task
    assert task.events_finished == task.events_total == 5 * jobs
    with running.client() as client:
        (merged,) = [output for output in task.outputs if output.stream == "all"]
        files = list(client.datasets.files(merged.dataset))
    assert len(files) == 1
    to = running.folder / f"results-{name}"
    running.panda("get", name, "--to", str(to))
    (path,) = [path for path in to.rglob("*") if path.is_file() and files[0].name in path.name]
    assert sorted(int(line) for line in path.read_text().split()) == list(range(1, 5 * jobs + 1))
    return task


def commands() -> Iterator[tuple[int, str]]:
    """The command lines of all processes."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                yield int(entry.name), (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue


def payloads(name: str) -> list[int]:
    """The shells that run payloads of a task."""
    return [pid for pid, command in commands() if f"payload-of-{name}" in command and "/bin/sh" in command.split(" ")[0]]


def postmaster(data: Path) -> int:
    """The process of the embedded PostgreSQL of a data folder."""
    location = data / "postgres" / "LOCATION"
    home = Path(location.read_text().strip()) if location.exists() else data / "postgres"
    return int((home / "data" / "postmaster.pid").read_text().splitlines()[0])


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Waits for a condition; fails naming it when it does not come in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain until {what}"
        time.sleep(0.05)
