"""What is measured: a star. One base (3 calls a job, 64 connections, 10,000 jobs ready, an empty archive, one queue, share and class), each axis by itself."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from pandawms.domain.stages import Stage
from pandawms.main.bench import limit, measure, seed, start
from pandawms.main.bench.measure import Ask, Measured
from pandawms.main.bench.run import BASE_DEPTH, JOBS_A_TASK, Bench
from pandawms.main.bench.seed import Wish
from pandawms.main.bench.system import System
from pandawms.store import bench as counting
from pandawms.store.database import Pool

START_TASKS = 5
QUEUES = tuple(f"bench{n:02d}" for n in range(50))
CLASSES = tuple(1000 + 100 * n for n in range(50))
SHARES = tuple(f"share{n:02d}" for n in range(20))
SLOTS = (4000, 5000, 6000, 64_000)


def base(bench: Bench) -> None:
    """Whole lives, the limit and our own statements without HTTP, in turn."""
    limit.prepare(bench.base())
    for n in range(bench.plan.runs):
        bench.say(f"whole lives over HTTP, 3 calls a job ({n + 1} of {bench.plan.runs})")
        found = bench.lives(bench.base(), ask(bench))
        lives = found.load.lives_per_second
        note_lives(bench, found)
        bench.say(f"the limit: pgbench ({n + 1} of {bench.plan.runs})")
        bench.note("limit", bench.limit())
        bench.note("share_of_limit", lives / bench.found["limit"][-1])
        bench.say(f"the same statements without HTTP ({n + 1} of {bench.plan.runs})")
        bench.note("batched", bench.batched())
        bench.note("share_of_batched", lives / bench.found["batched"][-1])


def note_lives(bench: Bench, found: Measured) -> None:
    """Keeps everything that a base run tells."""
    bench.note("lives_3_calls", found.load.lives_per_second)
    bench.note("calls", found.load.calls_per_second)
    for call, each in found.load.latency_ms.items():
        for name in ("p50", "p99", "p999"):
            bench.note(f"full_{call}_{name}_ms", getattr(each, name))
    for part in (*measure.PARTS, "load"):
        bench.note(f"{part}_cpu_ms", found.cpu_ms_a_life(part))
    bench.note("wal_bytes", found.wal_bytes / max(1, found.load.lives))
    bench.note("server_mb", found.server_rss_mb)


def ten_calls(bench: Bench) -> None:
    """Eight heartbeats in each life."""
    each_run(bench, "lives_10_calls", "10 calls a job", lambda: rate(bench, replace(ask(bench), calls=10)))


def connections(bench: Bench) -> None:
    """Few and many pilots."""
    for n in (16, 256):
        for run in range(bench.plan.runs):
            bench.say(f"{n} connections ({run + 1} of {bench.plan.runs})")
            found = bench.lives(bench.base(), replace(ask(bench), connections=n))
            bench.note(f"lives_{n}_connections", found.load.lives_per_second)
            bench.note(f"p99_{n}_connections_ms", found.load.latency_ms["claim"].p99)


def half_load(bench: Bench) -> None:
    """Pilots that come at half the rate that the system can do."""
    full = bench.found.get("lives_3_calls") or [rate(bench, ask(bench))]
    half = sorted(full)[len(full) // 2] / 2
    for n in range(bench.plan.runs):
        bench.say(f"claims at half of full load, {half:.0f} lives/s ({n + 1} of {bench.plan.runs})")
        bench.note("claim_p99_ms", bench.lives(bench.base(), replace(ask(bench), lives_per_second=half)).load.latency_ms["claim"].p99)


def depth(bench: Bench) -> None:
    """Deep queues, each run beside one of the base."""
    for size in bench.plan.depths:
        with bench.only_for_now():
            compare(bench, bench.deep(size), size, ("lives_depth_10000", f"lives_depth_{size}", "queue_depth_ratio"), size == bench.plan.depths[-1])


def archive(bench: Bench) -> None:
    """Large archives, each run beside one of the base."""
    for size in bench.plan.archives:
        with bench.only_for_now():
            names = ("lives_archive_0", f"lives_archive_{size}", "archive_ratio")
            compare(bench, bench.archived(size), BASE_DEPTH, names, size == bench.plan.archives[-1])


def compare(bench: Bench, made: System, ready: int, names: tuple[str, str, str], is_last: bool) -> None:
    """Runs a system and the base in turn, so that a machine that is slower for a while is so for both; the ratio is kept for the last size."""
    of_base, of_made, of_both = names
    for n in range(bench.plan.runs):
        bench.say(f"{of_made.replace('_', ' ')}, in turn with the base ({n + 1} of {bench.plan.runs})")
        for which in (made, bench.base()) if n % 2 else (bench.base(), made):
            found = bench.lives(which, ask(bench), ready if which is made else BASE_DEPTH)
            bench.note(of_made if which is made else of_base, found.load.lives_per_second)
        if is_last:
            bench.note(of_both, bench.found[of_made][-1] / bench.found[of_base][-1])


def create(bench: Bench) -> None:
    """One large task through the stages, each by itself in this process."""
    made, jobs = bench.bare("create"), bench.plan.create_jobs
    for n in range(bench.plan.runs):
        bench.say(f"making {jobs:,} jobs from one task ({n + 1} of {bench.plan.runs})")
        listed, created, activated = _create(made, jobs)
        bench.note("create", jobs / created)
        bench.note("activate", jobs / activated)
        bench.note("submit_to_ready", jobs / (listed + created + activated))


def _create(made: System, jobs: int) -> tuple[float, float, float]:
    """Returns the seconds that listing the inputs, making the jobs and making them ready took."""
    task_ids = made.run(lambda pool: seed.submit_tasks(pool, made, Wish(jobs, 1)))
    made.ask(counting.settle)
    before = made.ask(lambda connection: counting.n_ready(connection, ["bench"]))
    times = made.run(lambda pool: _timed(pool, made))
    assert made.ask(lambda connection: counting.n_jobs_of(connection, task_ids)) == jobs, "one job for each file"
    assert made.ask(lambda connection: counting.n_ready(connection, ["bench"])) == before + jobs, "all of them can be claimed"
    return times[Stage.DEFINE] + times[Stage.BROKER], times[Stage.GENERATE], times[Stage.PLACE]


async def _timed(pool: Pool, made: System) -> dict[Stage, float]:
    """Lets the stages work in turn until none finds anything; returns the seconds that each took while it found something."""
    times = dict.fromkeys((Stage.DEFINE, Stage.BROKER, Stage.GENERATE, Stage.PLACE), 0.0)
    done = 1
    while done:
        done = 0
        for stage in times:
            begin = time.perf_counter()
            found = await seed.drive(pool, made, stage)
            times[stage] += time.perf_counter() - begin if found else 0.0
            done += found
    return times


def queues(bench: Bench) -> None:
    """Fifty queues, each with a token of its own."""
    with bench.only_for_now():
        made, wish = bench.fresh("queues", QUEUES), Wish(JOBS_A_TASK, queues=QUEUES)
        each_run(bench, "lives_50_queues", "50 queues", lambda: rate(bench, ask(bench), made, wish))


def classes(bench: Bench) -> None:
    """Twenty shares, fifty classes of requirements, slots of four sizes."""
    with bench.only_for_now():
        made, wish = bench.fresh("classes"), Wish(JOBS_A_TASK, memory_mb=CLASSES, shares=SHARES)
        each_run(bench, "lives_50_classes", "20 shares and 50 classes", lambda: rate(bench, replace(ask(bench), memory_mb=SLOTS), made, wish))


def halves(bench: Bench) -> None:
    """Claims alone, then the reports of what they got."""
    kept = bench.base().folder / "run" / "kept.json"
    for n in range(bench.plan.runs):
        bench.say(f"claims alone, reports alone ({n + 1} of {bench.plan.runs})")
        bench.note("claims", bench.lives(bench.base(), replace(ask(bench), mode="claim", kept=kept)).load.claims_per_second)
        bench.note("reports", bench.finish(bench.base(), replace(ask(bench), mode="finish", kept=kept)).load.lives_per_second)
        kept.unlink()


def bulk(bench: Bench) -> None:
    """Pilots with many slots: twenty jobs in each call."""
    each_run(bench, "lives_20_a_call", "20 jobs a call", lambda: rate(bench, replace(ask(bench), jobs=20, connections=16)))


def idle(bench: Bench) -> None:
    """Pilots that wait at an empty queue."""
    n = bench.plan.idle_pilots
    bench.say(f"{n:,} pilots wait at an empty queue")
    found = measure.play(bench.base(), Ask("idle", connections=n, seconds=bench.plan.seconds, warm_seconds=8), ("idle",))
    if found.load.left < n:
        bench.notes.append(f"only {found.load.left} of {n} pilots could wait at once")
    bench.note("idle_pilots_mb", found.server_rss_mb)
    bench.note("idle_cpu_percent", found.cpu_ms["server"] / found.load.seconds / 10)


def submit_to_start(bench: Bench) -> None:
    """A real pilot waits; a task of one job is submitted over HTTP; its payload says when it began."""
    bench.say("from submit to start with a waiting pilot")
    with start.pilot(bench.base()) as folder:
        start.once(bench.base(), folder)
        for _ in range(max(bench.plan.runs, START_TASKS)):
            bench.note("submit_to_start_ms", start.once(bench.base(), folder))


def ask(bench: Bench) -> Ask:
    """Returns the base run of this benchmark."""
    return Ask(seconds=bench.plan.seconds)


def rate(bench: Bench, asked: Ask, made: System | None = None, wish: Wish | None = None) -> float:
    """Plays one run and returns the lives a second."""
    return bench.lives(made or bench.base(), asked, wish=wish).load.lives_per_second


def each_run(bench: Bench, name: str, title: str, once: Callable[[], float]) -> None:
    """Measures a figure as often as planned."""
    for n in range(bench.plan.runs):
        bench.say(f"{title} ({n + 1} of {bench.plan.runs})")
        bench.note(name, once())


@dataclass(frozen=True, slots=True)
class Scenario:
    """A part of the benchmark, the figures that it gives, and about how many runs it takes; `--quick` leaves out those that give no figure with a bar."""

    measure: Callable[[Bench], None]
    figures: tuple[str, ...]
    weight: int
    is_quick: bool = True


_LATENCIES = tuple(f"full_{call}_{name}_ms" for call in ("claim", "heartbeat", "report") for name in ("p50", "p99", "p999"))
_COSTS = ("server_cpu_ms", "postgres_cpu_ms", "engine_cpu_ms", "load_cpu_ms", "wal_bytes")

SCENARIOS: Mapping[str, Scenario] = {
    "base": Scenario(base, ("lives_3_calls", "share_of_limit", "share_of_batched", "server_mb", "limit", "batched", "calls", *_LATENCIES, *_COSTS), 9),
    "ten_calls": Scenario(ten_calls, ("lives_10_calls",), 3),
    "half_load": Scenario(half_load, ("claim_p99_ms",), 3),
    "connections": Scenario(
        connections, ("lives_16_connections", "lives_256_connections", "p99_16_connections_ms", "p99_256_connections_ms"), 6, is_quick=False
    ),
    "create": Scenario(create, ("create", "activate", "submit_to_ready"), 3),
    "depth": Scenario(depth, ("queue_depth_ratio", "lives_depth_10000", "lives_depth_100000", "lives_depth_1000000"), 8),
    "archive": Scenario(archive, ("archive_ratio", "lives_archive_0", "lives_archive_1000000", "lives_archive_10000000", "lives_archive_100000000"), 8),
    "queues": Scenario(queues, ("lives_50_queues",), 4, is_quick=False),
    "classes": Scenario(classes, ("lives_50_classes",), 4, is_quick=False),
    "halves": Scenario(halves, ("claims", "reports"), 6, is_quick=False),
    "bulk": Scenario(bulk, ("lives_20_a_call",), 3, is_quick=False),
    "submit_to_start": Scenario(submit_to_start, ("submit_to_start_ms",), 1),
    "idle": Scenario(idle, ("idle_pilots_mb", "idle_cpu_percent"), 2),
}


def chosen(only: str | None, *, is_quick: bool) -> dict[str, Scenario]:
    """Returns the scenarios to run: all, those of `--quick`, or the one that has this name or gives this figure."""
    if only is None:
        return {name: each for name, each in SCENARIOS.items() if each.is_quick or not is_quick}
    return {name: each for name, each in SCENARIOS.items() if only in (name, *each.figures)}
