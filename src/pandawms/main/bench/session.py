"""`panda bench` from its arguments to its results: checks, the benchmark itself with its progress, table, JSON and pictures."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from pandawms.domain.errors import Conflict, Invalid
from pandawms.main.bench import pictures, scenarios
from pandawms.main.bench.figures import Figure, known
from pandawms.main.bench.meter import machine
from pandawms.main.bench.run import FULL, LONG, QUICK, Plan, bench
from pandawms.main.files import write_public

if TYPE_CHECKING:
    from pandawms.main.bench.progress import Progress
    from pandawms.main.bench.run import Bench
    from pandawms.main.bench.scenarios import Scenario

MARK = "panda-bench.json"
ARCHIVE_ROW_BYTES = 600
"""Of a row of the archive with its indexes and its write-ahead log; measured 380."""

MOST_OTHERS = 0.15
"""Of the cores' time: what the kernel needs for interrupts and disk is less."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for; `data` None is the folder in the user's cache."""

    data: Path | None = None
    is_quick: bool = False
    is_long: bool = False
    is_fresh: bool = False
    only: str | None = None
    runs: int | None = None
    seconds: float | None = None

    @property
    def plan(self) -> Plan:
        """How much is measured."""
        plan = LONG if self.is_long else QUICK if self.is_quick else FULL
        return replace(plan, runs=self.runs or plan.runs, seconds=self.seconds or plan.seconds)

    @property
    def folder(self) -> Path:
        """The data folder."""
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return (self.data or cache / "panda-bench").expanduser().absolute()


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it; `audited` are the systems whose books were checked, `others` the most of the cores' time that other programs had."""

    figures: tuple[Figure, ...]
    details: tuple[dict[str, object], ...]
    notes: tuple[str, ...]
    plan: Plan
    seconds: float
    audited: tuple[str, ...] = ()
    others: float = 0.0

    @property
    def crowd(self) -> str:
        """What is to be said when other programs had much of the cores; empty when they had not."""
        return f"other programs used up to {self.others:.0%} of the cores: figures are too low" if self.others > MOST_OTHERS else ""

    def document(self) -> dict[str, object]:
        """Returns it as JSON's mapping."""
        return {
            "benchmark": "pandawms", "version": version("pandawms"), "machine": machine(), "ended_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "took_seconds": round(self.seconds, 1), "plan": asdict(self.plan), "figures": [figure.document() for figure in self.figures],
            "audited": list(self.audited), "others": self.others, "notes": list(self.notes), "runs": list(self.details),
        }  # fmt: skip


def execute(request: Request, progress: Progress) -> Result:
    """Measures everything that was asked for. Raises Invalid for a folder or name that cannot be, Conflict when another benchmark has the folder."""
    if request.only is not None:
        known(request.only, list(scenarios.SCENARIOS))
    wanted = scenarios.chosen(request.only, is_quick=request.is_quick)
    _limit_files()
    with _held(request), bench(request.folder, request.plan, progress.say) as running:
        for each in wanted.values():
            each.measure(running)
            progress.advance(each.weight)
        running.check_books()
        return _result(running, wanted, progress)


def _result(running: Bench, wanted: dict[str, Scenario], progress: Progress) -> Result:
    order = [name for each in scenarios.SCENARIOS.values() for name in each.figures]
    bars_first = sorted(running.figures, key=lambda figure: (figure.is_met is None, order.index(figure.name)))
    return Result(tuple(bars_first), tuple(running.details), tuple(running.notes), running.plan, progress.seconds, tuple(running.audited), running.others)


@contextmanager
def _held(request: Request) -> Iterator[None]:
    """The data folder, made when missing and ours alone until the end of the block."""
    folder = request.folder
    if folder.exists() and not folder.is_dir():
        raise _wrong(folder, "it is a file")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()) and not (folder / MARK).exists():
        raise _wrong(folder, "it holds something else, perhaps a system that is in use")
    write_public(folder / MARK, json.dumps({"version": version("pandawms")}))
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Conflict(
                f"a benchmark runs already in {folder}", code="bench.running", field="--data", value=str(folder), hint="wait for it, or choose another --data"
            ) from error
        if request.is_fresh:
            remove(folder)
        _check_disk(request)
        yield


def _wrong(folder: Path, why: str) -> Invalid:
    return Invalid(
        f"{folder} cannot take the data of a benchmark: {why}", code="bench.data", field="--data", value=str(folder),
        allowed="an empty or new folder, or one of an earlier benchmark", hint="choose another --data",
    )  # fmt: skip


def remove(folder: Path) -> None:
    """Deletes everything that earlier benchmarks left in their folder."""
    from pandawms.store.embedded import EmbeddedServer, Options

    EmbeddedServer(Options(folder=folder / "postgres")).remove()
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)


def _check_disk(request: Request) -> None:
    """Raises Invalid when the disk cannot hold the archives."""
    needed = 3 * 2**30 + sum(request.plan.archives) * ARCHIVE_ROW_BYTES
    where = Path("/var/lib") if os.geteuid() == 0 else request.folder
    free = shutil.disk_usage(where).free
    if free < needed and not (request.folder / "postgres").exists():
        raise Invalid(
            f"{where} has {free / 2**30:.0f} GiB free", code="bench.disk", field="--data", value=str(request.folder), allowed=f"{needed / 2**30:.0f} GiB free",
            hint="choose a folder on another disk, or --quick",
        )  # fmt: skip


def _limit_files() -> None:
    """Lets the server, which inherits it, hold thousands of connections."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def write_pictures(result: Result, folder: Path) -> list[Path]:
    """Writes the pictures; returns their paths, none when matplotlib is not installed."""
    return pictures.draw(result.figures, folder, machine()) if pictures.can_draw() else []
