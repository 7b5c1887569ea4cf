"""What each choice of the hot path is worth: the same lives through Dispatcher and Reporter, without HTTP, once as they are and once with one choice undone.

python -m bench.ablation [--lives 10000] [--callers 64] [--runs 3]

CPU per life is the figure to compare (others on the machine disturb it less than lives/s). Each variant has a fresh database.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psutil
import uvloop

from pandawms.data.blobs import Blobs
from pandawms.data.builtin import BuiltIn
from pandawms.engine.dispatch.gather import Dispatcher
from pandawms.engine.job_facts import JobFacts
from pandawms.engine.report.gather import Reporter
from pandawms.engine.services import Services
from pandawms.store import catalogue, database, events
from pandawms.store.database import Pool
from pandawms.store.embedded import EmbeddedServer, Options
from pandawms.store.migrations import runner
from pandawms.wire.pilot.heartbeat import JobBeat
from tests.world import World, make, report_of

STATUS_INDEXES = """
DROP INDEX job_ready, job_unplaced, job_leased, job_claimed;
CREATE INDEX job_ready ON job (queue_id, share_id, requirement_id, priority DESC, job_id) WHERE status = 'activated';
CREATE INDEX job_ready_too ON job (queue_id, share_id, requirement_id, priority DESC, job_id) WHERE standing = 'ready';
CREATE INDEX job_leased ON job (queue_id, share_id) WHERE status IN ('sent', 'starting', 'stagein', 'running', 'stageout');
CREATE INDEX job_unplaced ON job (status DESC, job_id) WHERE status IN ('defined', 'assigned');
CREATE UNIQUE INDEX job_claimed ON job (claim_id, claim_n) WHERE status IN ('sent', 'starting', 'stagein', 'running', 'stageout')
"""
FOREIGN_KEYS = """
ALTER TABLE job ADD FOREIGN KEY (job_id) REFERENCES job_spec;
ALTER TABLE job_spec ADD FOREIGN KEY (task_id) REFERENCES task, ADD FOREIGN KEY (task_id, version) REFERENCES task_template (task_id, version);
ALTER TABLE job_file ADD FOREIGN KEY (job_id) REFERENCES job_spec, ADD FOREIGN KEY (task_dataset_id) REFERENCES task_dataset,
    ADD FOREIGN KEY (task_file_id) REFERENCES task_file, ADD FOREIGN KEY (file_id) REFERENCES file;
ALTER TABLE file ADD FOREIGN KEY (dataset_id) REFERENCES dataset;
ALTER TABLE replica ADD FOREIGN KEY (file_id) REFERENCES file, ADD FOREIGN KEY (endpoint_id) REFERENCES storage_endpoint
"""
WIDE_ROW = """
ALTER TABLE job ADD COLUMN wide text NOT NULL DEFAULT repeat(md5('x'), 31);
ALTER TABLE job ALTER COLUMN wide SET STORAGE PLAIN;
UPDATE job SET wide = wide
"""
HEARTBEAT_INDEX = "CREATE INDEX job_lease ON job (lease_expires_at)"


@dataclass(frozen=True)
class Variant:
    """One choice undone: by SQL, in the processes, or by the settings of the connections."""

    name: str
    sql: str = ""
    most: int = 256
    hot: bool = True
    in_memory: bool = True


VARIANTS = (
    Variant("as it is"),
    Variant("batching off", most=1),
    Variant("batches of at most 8", most=8),
    Variant("status in the predicates of indexes", STATUS_INDEXES),
    Variant("an index on the end of the lease", HEARTBEAT_INDEX),
    Variant("foreign keys", FOREIGN_KEYS),
    Variant("wide hot row (1 kB)", WIDE_ROW),
    Variant("ordinary connections (no planner rails, reset after use)", hot=False),
    Variant("templates, shares and queues read every batch", in_memory=False),
)


@dataclass(frozen=True)
class Figures:
    """One run: lives a second, CPU in microseconds a life, WAL in bytes a life."""

    lives_per_second: float
    python_us: float
    postgres_us: float
    wal_bytes: float


def cpu_seconds(pid: int) -> float:
    """CPU that a process and its children used."""
    total = 0.0
    for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
        try:
            used = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += used.user + used.system
    return total


async def measure(url: str, pid: int, variant: Variant, lives: int, callers: int) -> Figures:
    """Seeds so many jobs, one input and one output each, and lets the callers live them: claim, heartbeat, report."""
    options = database.Options(url)
    async with database.open_pool(options, "bench") as pool, database.open_pool(options, "bench", hot=variant.hot) as hot:
        world = await seeded(pool, lives)
        async with pool.acquire() as connection:
            await connection.execute(variant.sql or "SELECT")
            await connection.execute("ANALYZE")
            begin_wal = await connection.fetchval("SELECT pg_current_wal_insert_lsn()")
        facts = JobFacts()
        world.dispatcher, world.reporter = Dispatcher(hot, world.services, facts), Reporter(hot, world.services, facts)
        for gatherer in (world.dispatcher._gatherer, world.reporter._beats, world.reporter._reports):
            gatherer.most = variant.most  # type: ignore[attr-defined]
        begin, python, postgres = time.perf_counter(), time.process_time(), cpu_seconds(pid)
        done = sum(await asyncio.gather(*(pilot(world, in_memory=variant.in_memory) for _ in range(callers))))
        seconds, python, postgres = time.perf_counter() - begin, time.process_time() - python, cpu_seconds(pid) - postgres
        async with pool.acquire() as connection:
            wal = float(await connection.fetchval("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), $1)", begin_wal))
    assert done == lives, f"{done} of {lives} jobs were done"
    return Figures(done / seconds, 1e6 * python / done, 1e6 * postgres / done, wal / done)


async def seeded(pool: Pool, n: int) -> World:
    """A world with n activated jobs of one task."""
    async with pool.acquire() as connection:
        await runner.upgrade(connection)
    world = await make(pool, Services(BuiltIn(), Blobs(Path(tempfile.gettempdir()))))
    async with pool.acquire() as connection, connection.transaction():
        dataset_id = await catalogue.add_dataset(connection, community_id=1, owner_id=world.who.user_id, scope="user.ada", name="many")
        assert dataset_id is not None
        await events.log(connection, "dataset", dataset_id, "create", None, "open", "bench")
        files = [catalogue.NewFile(f"f{i:06d}", uuid4(), 1, b"\0\0\0\1", None, world.endpoint_id) for i in range(n)]
        await catalogue.add_files(connection, dataset_id, "user.ada", files)
        await catalogue.close_dataset(connection, dataset_id)
    await world.submit(
        name="many", inputs={"in": {"dataset": "user.ada:many"}}, split={"files_per_job": 1}, scouts={"jobs": 0}, program={"command": "true %IN > %OUT"}
    )
    await world.settle()
    return world


async def pilot(world: World, *, in_memory: bool) -> int:
    """One pilot: lives jobs until there is none; returns how many."""
    done = 0
    while jobs := await world.claim():
        for job in jobs:
            await world.reporter.heartbeat(world.queue_id, [JobBeat(job.job_id, job.claim_id, job.attempt, "running")])
            (verdict,) = await world.reporter.report(world.queue_id, [report_of(job)])
            assert verdict.verdict == "accepted", verdict
            done += 1
        if not in_memory:
            world.dispatcher._offer._read_at = float("-inf")
            world.dispatcher._blueprints._kept.clear()
            world.reporter._blueprints._kept.clear()
    return done


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="bench.ablation", description=__doc__)
    parser.add_argument("--lives", type=int, default=10_000)
    parser.add_argument("--callers", type=int, default=64)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only")
    given = parser.parse_args()
    print(f"{given.lives} lives, {given.callers} callers, median of {given.runs}; CPU in us a life")
    print(f"{'choice undone':<58}{'lives/s':>9}{'Python':>9}{'PostgreSQL':>12}{'both':>8}{'WAL B':>9}")
    for variant in VARIANTS:
        if given.only and given.only not in variant.name:
            continue
        runs = [once(variant, given.lives, given.callers) for _ in range(given.runs)]
        rate, python, postgres, wal = (
            statistics.median(getattr(run, name) for run in runs) for name in ("lives_per_second", "python_us", "postgres_us", "wal_bytes")
        )
        print(f"{variant.name:<58}{rate:>9.0f}{python:>9.0f}{postgres:>12.0f}{python + postgres:>8.0f}{wal:>9.0f}", flush=True)


def once(variant: Variant, lives: int, callers: int) -> Figures:
    """One run on a PostgreSQL of its own, durable as in production."""
    with tempfile.TemporaryDirectory(prefix="panda-bench-", ignore_cleanup_errors=True) as folder:
        server = EmbeddedServer(Options(folder=Path(folder) / "postgres"))
        try:
            url = server.start().dsn
            assert server._process is not None
            return uvloop.run(measure(url, server._process.pid, variant, lives, callers))
        finally:
            server.remove()


if __name__ == "__main__":
    main()
