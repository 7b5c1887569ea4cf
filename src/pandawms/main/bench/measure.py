"""One run of the load generator against a system, with what it cost every part."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pandawms.domain.errors import Unavailable
from pandawms.main.bench import meter
from pandawms.main.bench.system import System
from pandawms.main.bench.tally import Load
from pandawms.store import bench

PARTS = ("server", "engine", "postgres")


@dataclass(frozen=True, slots=True)
class Ask:
    """What the generator is to play; see `load.Order`."""

    mode: str = "lives"
    connections: int = 64
    calls: int = 3
    jobs: int = 1
    seconds: float = 5.0
    warm_seconds: float = 1.0
    lives_per_second: float = 0.0
    memory_mb: tuple[int, ...] = ()
    kept: Path | None = None

    def words(self) -> list[str]:
        """Returns it as arguments of the generator."""
        given = {
            "mode": self.mode, "connections": self.connections, "calls": self.calls, "jobs": self.jobs, "seconds": self.seconds,
            "warm-seconds": self.warm_seconds, "lives-per-second": self.lives_per_second, "kept": self.kept,
        }  # fmt: skip
        words = [word for name, value in given.items() if value is not None for word in (f"--{name}", str(value))]
        return words + [word for each in self.memory_mb for word in ("--memory-mb", str(each))]


@dataclass(frozen=True, slots=True)
class Sample:
    """What the parts had used at one moment: CPU in milliseconds, write-ahead log in bytes, memory of the server in MiB."""

    cpu_ms: dict[str, float]
    cores_ms: tuple[float, float]
    wal_bytes: int
    server_rss_mb: float
    server_pss_mb: float


@dataclass(frozen=True, slots=True)
class Measured:
    """What the generator saw, and what the parts used meanwhile: CPU ms by part (the generator as `load`), bytes of WAL, MiB of the server at the end.

    `busy` is the part of all cores' time that was used, `others` what programs that are not of the benchmark, and the kernel, had of it.
    """

    load: Load
    cpu_ms: dict[str, float]
    wal_bytes: int
    server_rss_mb: float
    server_pss_mb: float
    busy: float
    others: float

    def cpu_ms_a_life(self, part: str) -> float:
        """Returns the CPU time of a part for each life, in milliseconds."""
        return self.cpu_ms[part] / max(1, self.load.lives)


def sample(system: System, postmaster: int) -> Sample:
    """Looks at all parts of a running system."""
    server = system.pid("server")
    wal = system.ask(bench.wal_bytes)
    cpu = {"server": meter.cpu_ms(server), "engine": meter.cpu_ms(system.pid("engine")), "postgres": meter.tree_cpu_ms(postmaster)}
    return Sample(cpu, meter.cores_ms(), wal, meter.rss_mb(server), meter.pss_mb(server))


def play(system: System, ask: Ask, queues: Sequence[str]) -> Measured:
    """Plays pilots of these queues and returns what came of it. Raises Unavailable when the generator or a part of the system ends early."""
    postmaster = system.postmaster()
    with tempfile.TemporaryDirectory(prefix="panda-load-") as folder, generator(system, ask, queues, Path(folder) / "load.json") as process:
        _expect(process, "begin")
        before = sample(system, postmaster)
        _expect(process, "end")
        after = sample(system, postmaster)
        if process.wait(120) != 0:
            raise _died(process)
        load = msgspec.json.decode((Path(folder) / "load.json").read_bytes(), type=Load)
    cpu = {part: after.cpu_ms[part] - before.cpu_ms[part] for part in PARTS} | {"load": load.cpu_seconds * 1000}
    worked, had = (end - begin for begin, end in zip(before.cores_ms, after.cores_ms, strict=True))
    busy, others = worked / had, max(0.0, worked - sum(cpu.values())) / had
    return Measured(load, cpu, after.wal_bytes - before.wal_bytes, after.server_rss_mb, after.server_pss_mb, busy, others)


@contextmanager
def generator(system: System, ask: Ask, queues: Sequence[str], result: Path) -> Iterator["subprocess.Popen[str]"]:
    """Runs the generator for the length of the block; it is ended if it has not ended."""
    command = [sys.executable, "-m", "pandawms.main.bench.load", "--url", system.url, "--targets", str(system.write_targets(queues)), "--json", str(result)]
    process = subprocess.Popen(
        [*command, *ask.words()], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        with process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.kill()
    finally:
        process.wait()


def _expect(process: "subprocess.Popen[str]", word: str) -> None:
    assert process.stdout is not None, "its output is a pipe"
    line = process.stdout.readline().strip()
    if line != word:
        raise _died(process, line)


def _died(process: "subprocess.Popen[str]", line: str = "") -> Unavailable:
    said = line + (process.stdout.read() if process.stdout else "")
    return Unavailable(f"the load generator ended early: {said.strip()[-500:]}", code="bench.load", hint="is the machine out of memory, ports or files?")
