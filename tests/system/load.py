"""Load on a whole system: a queue in which no real pilot works, tasks of thousands of jobs for it, the load generator, and what must be true afterwards."""

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import yaml

from pandawms.client import Client
from pandawms.data.builtin import BuiltIn
from pandawms.main.bench.system import System
from pandawms.main.bench.tally import Load
from pandawms.wire.dataset import DatasetRequest, FileRegistration
from tests.system.running import Running, until

SECONDS = float(os.environ.get("PANDA_TEST_LOAD_SECONDS", "6"))
"""How long a system is hurt under load, at least; `make soak` makes it more."""
RATE = 90
"""Lives a second that the generator plays while the system is hurt: the rest of the work is left for afterwards, when it goes as fast as it can."""
JOBS = round((RATE + 40) * (SECONDS + 25))
"""Jobs of both tasks: more than the generator and the odd pilots do while the system is hurt, which on a busy machine takes long."""
FILES = round(JOBS * 0.6)
CHUNKS = JOBS - FILES
LEASE_SECONDS = 5.0
QUEUE = "load"
A_MERGE = 50
CONNECTIONS = 24

SETTINGS = f"""
[engine]
lease_seconds = {LEASE_SECONDS}
heartbeat_seconds = 2
poll_seconds = 0.3
"""


def url(running: Running) -> str:
    """The address of the API."""
    return str(json.loads((running.data / "run" / "endpoint.json").read_text())["url"])


def add_queue(running: Running) -> str:
    """Makes the queue, as a benchmark does, and returns a token for its pilots."""
    database = json.loads((running.data / "run" / "database.json").read_text())["url"]
    made = System("load", running.data, database, 0)
    made.prepare([QUEUE])
    made.write_targets([QUEUE])
    return made.targets[0].token


def submit_files(running: Running, name: str) -> None:
    """Submits a task over a dataset of files, one job each."""
    with Client(url(running), (running.data / "tokens" / "operator").read_text().strip()) as client:
        dataset = client.datasets.create(DatasetRequest(name=f"{name}-input"))
        root = (running.data / "storage" / "local").as_uri()
        names = [f"events-{n:06d}.root" for n in range(FILES)]
        files = [FileRegistration(name=each, size_bytes=7, adler32="0a0b0c0d", url=BuiltIn().url(root, dataset.scope, each)) for each in names]
        for first in range(0, FILES, 5000):
            client.datasets.register(dataset.dataset_id, tuple(files[first : first + 5000]))
        client.datasets.close(dataset.dataset_id)
    _submit(running, name, inputs={"events": {"dataset": f"{dataset.scope}:{dataset.name}"}})


def submit_chunks(running: Running, name: str) -> None:
    """Submits a task over chunks of events, one job each, whose outputs are merged."""
    merge = {"inputs": "out", "command": "cat %IN > %OUT", "outputs": {"all": "all.root"}, "files_per_job": A_MERGE}
    _submit(running, name, inputs={"events": {"count": 3 * CHUNKS}}, split={"events_per_job": 3}, merge=merge)


def _submit(running: Running, name: str, **more: object) -> None:
    document = {
        "name": name, "program": {"command": "reconstruct > %OUT"}, "outputs": {"out": "out.root"}, "retry": {"max_attempts": 50}, "queues": [QUEUE],
    } | more  # fmt: skip
    path = running.folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    running.panda("submit", str(path))


class Generator(threading.Thread):
    """The load generator: one run of SECONDS, then short ones at full speed until `is_over` is set. `loads` has what each run saw."""

    def __init__(self, running: Running) -> None:
        super().__init__()
        self.loads: list[Load] = []
        self.errors: list[str] = []
        self.is_over, self.is_hurried = threading.Event(), threading.Event()
        self._running = running
        self._process: subprocess.Popen[str] | None = None

    def run(self) -> None:
        self._play(SECONDS, RATE)
        while not self.is_over.is_set() and not self.errors:
            self._play(2.0, 0 if self.is_hurried.is_set() else RATE)

    def _play(self, seconds: float, rate: int) -> None:
        result = self._running.folder / "load.json"
        result.unlink(missing_ok=True)
        words = {
            "url": url(self._running), "targets": self._running.data / "run" / "targets.json", "connections": CONNECTIONS, "seconds": seconds,
            "warm-seconds": 0.1, "lives-per-second": rate, "json": result,
        }  # fmt: skip
        command = [sys.executable, "-m", "pandawms.main.bench.load", *(word for name, value in words.items() for word in (f"--{name}", str(value)))]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = self._process.communicate()[0]
        if self._process.returncode:
            self.errors.append(said)
        else:
            self.loads.append(msgspec.json.decode(result.read_bytes(), type=Load))

    def end(self) -> None:
        """Ends it, whatever it does."""
        self.is_over.set()
        if self._process is not None and not self.loads:
            self._process.kill()
        self.join(60)

    @property
    def verdicts(self) -> Counter[str]:
        """What was said of its jobs, in all runs."""
        return sum((Counter(load.verdicts) for load in self.loads), Counter())


@contextmanager
def generating(running: Running) -> Iterator[Generator]:
    """A load generator at work during the block."""
    generator = Generator(running)
    generator.start()
    try:
        yield generator
    finally:
        generator.end()


def finish(running: Running, generator: Generator, *names: str) -> None:
    """Lets the generator go on at full speed until the tasks are done and nothing is leased any more, then ends it."""
    generator.is_hurried.set()
    until(lambda: bool(generator.errors) or all(running.task(name).status == "done" for name in names), 60 + 3 * SECONDS, f"{', '.join(names)} are done")
    generator.is_over.set()
    generator.join(60)
    assert not generator.errors
    assert sum(load.lives for load in generator.loads) > 0


def check_files(running: Running, name: str) -> None:
    """Asserts that every file of the task's input was processed by exactly one job that finished, and left exactly one output."""
    with running.client() as client:
        task, units = client.tasks.get(name), list(client.tasks.files(name))
        finished = list(client.tasks.jobs(name, status="finished"))
        (output,) = task.outputs
        written = [file.name for file in client.datasets.files(output.dataset_id)]
    assert (task.inputs.total, task.inputs.finished, output.n_files) == (FILES, FILES, FILES)
    assert sorted(unit.name or "" for unit in units) == [f"events-{n:06d}.root" for n in range(FILES)]
    assert {unit.status for unit in units} == {"finished"}
    assert sorted(unit.job_id or 0 for unit in units) == sorted(job.job_id for job in finished), "one job that finished for each file"
    assert serials(written) == list(range(1, FILES + 1))


def check_chunks(running: Running, name: str) -> None:
    """Asserts the same of a task over events: each event once, each job's output in one merged file, one merge for each A_MERGE of them."""
    with running.client() as client:
        task, units = client.tasks.get(name), list(client.tasks.files(name))
        kinds = Counter(job.kind for job in client.tasks.jobs(name, status="finished"))
        merged = next(output for output in task.outputs if output.stream == "all")
        written = [file.name for file in client.datasets.files(merged.dataset_id)]
    assert (task.inputs.total, task.inputs.finished) == (CHUNKS, CHUNKS)
    assert task.events_finished == task.events_total == 3 * CHUNKS
    assert sorted(unit.first_event or 0 for unit in units) == list(range(1, 3 * CHUNKS + 1, 3))
    assert {unit.status for unit in units} == {"finished"}
    assert kinds == {"run": CHUNKS, "merge": len(written)}
    assert len(set(serials(written))) == len(written) == merged.n_files >= CHUNKS / A_MERGE


def serials(names: list[str]) -> list[int]:
    """The numbers in the names of outputs (task.stream.serial.attempt.suffix), in order."""
    return sorted(int(name.split(".")[2]) for name in names)


def failures(running: Running) -> str:
    """What the server has logged of calls that it answered with 500."""
    lines = (running.data / "logs" / "server.log").read_text().splitlines()
    return "\n".join(json.loads(line).get("exception", line) for line in lines if '"request.failed"' in line)
