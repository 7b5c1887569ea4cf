"""One benchmark: its systems, started when they are first needed and all ended with it, what it measures in them, and what it found."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from pandawms.main.bench import limit, measure, seed
from pandawms.main.bench.figures import Figure
from pandawms.main.bench.measure import Ask, Measured
from pandawms.main.bench.seed import Wish
from pandawms.main.bench.system import Cluster, System, cluster, running, system
from pandawms.main.bench.tally import Load
from pandawms.store import audit

JOBS_A_TASK = 10_000
FIRST_GUESS = 1500.0
FIRST_GUESS_OF_CLAIMS = 5000.0
BASE_DEPTH = 10_000


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured. `depths` and `archives` are ascending; `seconds` is the length of a run, `create_jobs` the size of the task for `create`."""

    runs: int
    seconds: float
    depths: Sequence[int]
    archives: Sequence[int]
    create_jobs: int
    idle_pilots: int = 5000


QUICK = Plan(runs=3, seconds=5, depths=(100_000,), archives=(1_000_000,), create_jobs=50_000)
FULL = Plan(runs=3, seconds=5, depths=(100_000, 1_000_000), archives=(1_000_000, 10_000_000), create_jobs=100_000)
LONG = Plan(runs=3, seconds=10, depths=(100_000, 1_000_000), archives=(1_000_000, 10_000_000, 100_000_000), create_jobs=200_000)


@dataclass(slots=True)
class Bench:
    """The benchmark while it runs; `say` is called with what it does now. `others` is the most of the cores' time that other programs had in a run."""

    plan: Plan
    cluster: Cluster
    say: Callable[[str], None]
    stack: ExitStack
    found: dict[str, list[float]] = field(default_factory=dict)
    details: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    audited: list[str] = field(default_factory=list)
    others: float = 0.0
    _systems: dict[str, System] = field(default_factory=dict)
    _rates: dict[tuple[int, int, str], float] = field(default_factory=dict)

    @property
    def figures(self) -> list[Figure]:
        """What was measured so far."""
        return [Figure(name, tuple(values)) for name, values in self.found.items()]

    def note(self, name: str, value: float) -> None:
        """Keeps one value of a figure."""
        self.found.setdefault(name, []).append(value)

    def base(self) -> System:
        """Returns the system that everything is compared with: one queue of 10,000 jobs, an empty archive. It is made anew in each benchmark."""
        return self._system("base", ("bench", "idle"), is_kept=False)

    def deep(self, depth: int) -> System:
        """Returns a system with so many jobs ready; it is kept for the next benchmark."""
        made = self._system(f"depth_{depth}", ("bench",))
        self.say(f"filling a queue with {depth:,} jobs")
        seed.fill(made, Wish(min(100_000, depth)), depth)
        return made

    def archived(self, rows: int) -> System:
        """Returns a system with so many jobs in the archive; it is kept for the next benchmark."""
        name = f"archive_{rows}"
        if name not in self._systems:
            made = self._systems[name] = system(self.cluster.data, self.cluster, name)
            self.say(f"filling an archive with {rows:,} jobs")
            seed.fill_archive(made, rows)
            self.stack.enter_context(running(made))
        return self._systems[name]

    def fresh(self, name: str, queues: Sequence[str] = ("bench",)) -> System:
        """Returns a system that is made anew and runs."""
        return self._system(name, queues, is_kept=False)

    def bare(self, name: str) -> System:
        """Returns a system made anew in which no program runs."""
        self.cluster.drop(f"panda_{name}")
        return system(self.cluster.data, self.cluster, name)

    def _system(self, name: str, queues: Sequence[str], *, is_kept: bool = True) -> System:
        if name not in self._systems:
            self.say(f"starting the system {name}")
            if not is_kept:
                self.cluster.drop(f"panda_{name}")
            made = self._systems[name] = system(self.cluster.data, self.cluster, name, queues)
            self.stack.enter_context(running(made))
        return self._systems[name]

    def check_books(self) -> None:
        """Audits the systems that run, as `panda db check` does, and notes what is wrong."""
        for name, made in self._systems.items():
            self.say(f"checking the books of the system {name}")
            findings = made.ask(audit.run)
            self.notes += [f"the books of {name} do not agree: {audit.summary(findings)}"] if findings else []
            self.audited.append(name)

    @contextmanager
    def only_for_now(self) -> Iterator[None]:
        """Ends, with the block, the systems that were started in it."""
        before, outer = set(self._systems), self.stack
        try:
            with ExitStack() as self.stack:
                yield
        finally:
            self.stack = outer
            self._systems = {name: made for name, made in self._systems.items() if name in before}

    def lives(self, made: System, ask: Ask, depth: int = BASE_DEPTH, wish: Wish | None = None) -> Measured:
        """Plays one run over a queue that still has `depth` jobs at its end. One in which pilots went empty because we guessed too low is played again,
        unless it has kept jobs that must be reported first."""
        wanted = wish or Wish(JOBS_A_TASK)
        key = (ask.calls, ask.jobs, ask.mode)
        rate = ask.lives_per_second or self._rates.get(key, FIRST_GUESS if ask.kept is None else FIRST_GUESS_OF_CLAIMS)
        for _ in range(4):
            seed.fill(made, wanted, depth + round(rate * 1.3 * (ask.seconds + ask.warm_seconds)) + ask.connections * ask.jobs)
            measured = measure.play(made, ask, wanted.queues)
            self._rates[key] = max(measured.load.lives_per_second, measured.load.claims_per_second)
            if ask.kept is not None or measured.load.verdicts.get("claim empty", 0) <= 0.01 * measured.load.calls:
                break
            rate *= 3
        self._keep(made, ask, measured.load, measured)
        return measured

    def finish(self, made: System, ask: Ask) -> Measured:
        """Plays one run that only reports what an earlier one has kept."""
        measured = measure.play(made, ask, ("bench",))
        self._keep(made, ask, measured.load, measured)
        return measured

    def _keep(self, made: System, ask: Ask, load: Load, measured: Measured) -> None:
        details = {"system": made.name, "mode": ask.mode, "connections": ask.connections, "calls_a_life": ask.calls, "jobs_a_call": ask.jobs}
        costs = {"cpu_ms": measured.cpu_ms, "wal_bytes": measured.wal_bytes, "busy": measured.busy, "others": measured.others}
        self.details.append(details | costs | {"load": msgspec.to_builtins(load)})
        self.others = max(self.others, measured.others)
        if load.failed:
            self.notes.append(f"{load.failed} calls failed in {made.name}: {load.answers}")

    def limit(self) -> float:
        """Returns what pgbench reaches now."""
        return limit.pgbench(self.base(), self.plan.seconds)

    def batched(self) -> float:
        """Returns what our own statements reach now without HTTP."""
        made = self.base()
        seed.fill(made, Wish(JOBS_A_TASK), BASE_DEPTH + round(self._rates.get((0, 0, "batched"), 6000) * 1.3 * self.plan.seconds))
        self._rates[0, 0, "batched"] = found = limit.batched(made, "bench", self.plan.seconds)
        return found


@contextmanager
def bench(data: Path, plan: Plan, say: Callable[[str], None]) -> Iterator[Bench]:
    """Runs a benchmark's PostgreSQL for the length of the block; whatever the block starts is ended with it."""
    say("starting PostgreSQL")
    with cluster(data) as running_cluster, ExitStack() as stack:
        yield Bench(plan, running_cluster, say, stack)
