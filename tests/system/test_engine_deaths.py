"""Two engines share the work of a running system, and each is killed with -9 again and again: nothing is lost and nothing is done twice.

The same at every single await of an engine is in tests/engine/test_two_engines.py; here they are processes, and the pilots are real. `PANDA_TEST_KILLS` is how
many times twelve deaths there are (`make soak`).
"""

import json
import os
import random
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pandawms.client import Client
from pandawms.wire.document import TaskDocument
from pandawms.wire.task import TaskSummary
from tests.system.running import PANDA, Running, until

DEATHS = 12 * int(os.environ.get("PANDA_TEST_KILLS", "1"))
EVENTS = 40
"""Events of each task."""


class Work:
    """Tasks of several kinds, a handful at a time, and what must be true of them in the end."""

    def __init__(self, running: Running, client: Client) -> None:
        self.running, self.client = running, client
        self.names: list[str] = []
        self.handfuls = 0

    def submit(self) -> None:
        """A task whose every second job fails at first; one that is merged, with a first merge that fails; and one that reads its merged files."""
        n, self.handfuls = self.handfuls, self.handfuls + 1
        numbers = "seq %FIRST_EVENT $((%FIRST_EVENT + %EVENTS - 1)) > %OUT"
        made = {"inputs": {"events": {"count": EVENTS}}, "split": {"events_per_job": 4}, "outputs": {"out": "numbers.txt"}}
        merge = {"inputs": "out", "command": "test $((%SERIAL + %ATTEMPT)) -ne 2 && cat %IN > %OUT", "outputs": {"whole": "whole.txt"}, "files_per_job": 2}
        self._add(f"retried-{n}", made, program={"command": f"test $((%SERIAL %% 2 + %ATTEMPT)) -ne 1 && {numbers}"})
        self._add(f"merged-{n}", made, program={"command": numbers}, merge=merge)
        read = {"inputs": {"in": {"task": f"merged-{n}", "output": "whole"}}, "outputs": {"out": "numbers.txt"}}
        self._add(f"reader-{n}", read, program={"command": "cat %IN > %OUT"})

    def _add(self, name: str, *parts: dict[str, Any], **more: Any) -> None:
        document: dict[str, Any] = {"name": name, "retry": {"max_attempts": 20}, **more}
        for part in parts:
            document |= part
        self.client.submit(msgspec.convert(document, TaskDocument), self.running.folder)
        self.names.append(name)

    def _tasks(self) -> list[TaskSummary]:
        return [task for task in self.client.tasks.list() if task.name in self.names]

    def open(self) -> list[TaskSummary]:
        """The tasks that have not ended."""
        return [task for task in self._tasks() if task.ended_at is None]

    def go_on(self, n_changes: int) -> None:
        """Waits until so many more jobs were made, have run or were merged; submits more when little is left to do."""
        if len(self.open()) < 3:
            self.submit()
        goal = n_changes + self._n_changes()
        until(lambda: self._n_changes() >= goal or len(self.open()) < 3, 60, f"jobs are made and run: {self.open()}")

    def _n_changes(self) -> int:
        made = Counter(status for task in self._tasks() for status, n in task.jobs.items() for _ in range(n))
        return made.total() + made["merging"] + 2 * made["finished"] + made["failed"]

    def check(self) -> None:
        """Asserts that each task is done, and that each event is exactly once in its results."""
        for name in self.names:
            task = self.client.tasks.get(name)
            assert (task.status, task.inputs.finished, task.inputs.failed) == ("done", task.inputs.total, 0), task
            output = task.outputs[-1]
            files = list(self.client.datasets.files(output.dataset_id))
            assert output.n_files == len(files)
            assert sorted(int(word) for file in files for word in self._content(file.file_id).split()) == list(range(1, EVENTS + 1)), name

    def _content(self, file_id: int) -> str:
        path = self.running.folder / "fetched"
        self.client.files.download(self.client.files.get(file_id), path)
        return path.read_text()


class Engine:
    """An engine that is killed again and again: that of `panda up`, which starts another one in its place."""

    def __init__(self, running: Running, log: Path) -> None:
        self.running, self.log = running, log
        self.n_deaths = 0
        self._starts = self._n_starts() - 1

    def _n_starts(self) -> int:
        return self.log.read_text().count('"engine.started"') if self.log.exists() else 0

    def wait(self) -> None:
        """Waits until one has begun to work since the last one was killed."""
        until(lambda: self._n_starts() > self._starts, 30, f"the engine of {self.log} works")

    def die(self) -> None:
        """kill -9."""
        self._starts = self._n_starts()
        self.n_deaths += 1
        self._kill()

    def _kill(self) -> None:
        self.running.kill("engine")


class Second(Engine):
    """An engine beside it, over the same data folder."""

    def __init__(self, running: Running) -> None:
        super().__init__(running, running.folder / "second-engine.log")
        self._starts = 0
        self.process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as log:
            command = [*PANDA, "--data", str(self.running.data), "engine"]
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def _kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process = self._start()

    def end(self) -> None:
        """Ends it politely."""
        self.process.terminate()
        self.process.wait(20)


@contextmanager
def two_engines(running: Running) -> Iterator[list[Engine]]:
    """The engine of the system and, for the length of the block, another one."""
    other = Second(running)
    try:
        yield [Engine(running, running.data / "logs" / "engine.log"), other]
    finally:
        other.end()


@pytest.mark.timeout(120 + 10 * DEATHS)
def test_two_engines_that_are_killed_again_and_again_lose_nothing_and_do_nothing_twice(running: Running) -> None:
    chance = random.Random(int(os.environ.get("PANDA_TEST_ENGINE_SEED", "1")))
    with running.client() as client, two_engines(running) as engines:
        work = Work(running, client)
        for _ in range(DEATHS):
            victim = chance.choice(engines)
            victim.wait()
            work.go_on(chance.randint(0, 8))
            victim.die()
        until(lambda: not work.open(), 90, f"all tasks have ended: {work.open()}")
        work.check()
        assert min(engine.n_deaths for engine in engines) > 0
    rules = json.loads(running.panda("--json", "db", "check"))
    assert [rule for rule in rules if not rule["ok"]] == []
