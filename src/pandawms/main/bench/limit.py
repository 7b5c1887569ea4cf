"""What the database alone can do: pgbench with the fewest statements that a job's life needs, and our own set statements without HTTP."""

import asyncio
import os
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

from pandawms.domain.errors import Unavailable
from pandawms.domain.outcome import SUCCESS
from pandawms.engine.dispatch.gather import Dispatcher
from pandawms.engine.dispatch.plan import Claim
from pandawms.engine.job_facts import JobFacts
from pandawms.engine.report.gather import Reporter
from pandawms.main.bench import seed
from pandawms.main.bench.system import System
from pandawms.store import bench, bench_limit, places
from pandawms.store.database import Options, Pool, open_pool
from pandawms.store.embedded.binaries import binaries
from pandawms.wire.pilot import ClaimRequest, JobBeat, JobReport, JobSpec, WrittenFile

CLIENTS = 16
JOBS_A_BATCH = 200
BATCHES_AT_ONCE = 2

LIFE = r"""
WITH picked AS MATERIALIZED (
    SELECT job_id FROM limit_job WHERE queue_id = 1 AND status = 'activated' ORDER BY priority DESC, job_id LIMIT 1 FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE limit_job j SET status = 'sent', claim_id = gen_random_uuid(), lease_expires_at = now() + interval '120 s'
    FROM picked WHERE j.job_id = picked.job_id RETURNING j.job_id, j.task_id
), logged AS (
    INSERT INTO limit_event (job_id, from_status, to_status) SELECT job_id, 'activated', 'sent' FROM taken
)
SELECT job_id, task_id FROM taken \gset
WITH started AS (
    UPDATE limit_job SET status = 'running', lease_expires_at = now() + interval '120 s' WHERE job_id = :job_id AND status = 'sent' RETURNING job_id
)
INSERT INTO limit_event (job_id, from_status, to_status) SELECT job_id, 'sent', 'running' FROM started;
WITH gone AS (
    DELETE FROM limit_job WHERE job_id = :job_id AND status = 'running' RETURNING *
), archived AS (
    INSERT INTO limit_archive SELECT job_id, task_id, claim_id, queue_id, 'finished', now() FROM gone
), logged AS (
    INSERT INTO limit_event (job_id, from_status, to_status) SELECT job_id, 'running', 'finished' FROM gone
), written AS (
    INSERT INTO limit_file SELECT job_id, 1, 'bench.out.' || job_id || '.1.root', 1000 FROM gone
), settled AS (
    UPDATE limit_unit SET status = 'finished' WHERE job_id = :job_id
)
UPDATE limit_counter SET n_finished = n_finished + 1 WHERE task_id = :task_id AND EXISTS (SELECT 1 FROM gone);
"""
"""Claim, start and finish of one job, each a transaction, as one statement and one round trip."""


def prepare(system: System) -> None:
    """Makes pgbench's tables anew in the system's database."""
    system.ask(bench_limit.make)


def pgbench(system: System, seconds: float) -> float:
    """Returns the lives a second of pgbench over so many seconds (whole ones), from a queue that is never empty."""
    whole = max(1, round(seconds))
    system.ask(lambda connection: bench_limit.fill(connection, 10_000 + whole * 8_000))
    address = urlsplit(system.database_url)
    place = parse_qs(address.query)
    with tempfile.TemporaryDirectory(prefix="panda-limit-") as folder:
        script = Path(folder) / "life.sql"
        script.write_text(LIFE)
        command = [
            str(binaries(None).bin / "pgbench"), "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "1", "-T", str(whole), "-f", str(script),
            "-h", place["host"][0], "-p", place["port"][0], "-U", str(address.username), address.path.lstrip("/"),
        ]  # fmt: skip
        environment = dict(os.environ) | {"PGPASSWORD": unquote(address.password or "")}
        before = system.ask(bench_limit.n_ended)
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, start_new_session=True)
    found = re.search(r"processed: (\d+)$.*^tps = ([0-9.]+)", done.stdout, re.MULTILINE | re.DOTALL)
    if done.returncode != 0 or found is None or int(found[1]) != system.ask(bench_limit.n_ended) - before:
        raise Unavailable(f"pgbench failed: {(done.stderr or done.stdout).strip()[-500:]}", code="bench.pgbench", hint="is there a free connection?")
    return float(found[2])


@dataclass(slots=True)
class Batched:
    """Counts the lives of our own set statements; `queue` is where the jobs come from."""

    queue_id: int
    queue: str
    dispatcher: Dispatcher
    reporter: Reporter
    until: float
    lives: int = 0

    async def work(self) -> None:
        """Claims, beats and reports jobs, a batch a call, until the time is over or no job is left."""
        while time.perf_counter() < self.until:
            jobs = await self.dispatcher.claim(Claim(self.queue_id, _claim(self.queue)))
            if not jobs:
                return
            await self.reporter.heartbeat(self.queue_id, [JobBeat(job.job_id, job.claim_id, job.attempt, "running") for job in jobs])
            verdicts = await self.reporter.report(self.queue_id, [_report(job) for job in jobs])
            self.lives += sum(verdict.verdict == "accepted" for verdict in verdicts)


def batched(system: System, queue: str, seconds: float) -> float:
    """Returns the lives a second of our own statements, driven in this process without HTTP."""
    return system.run(lambda _pool: _batched(system, queue, seconds))


async def _batched(system: System, queue: str, seconds: float) -> float:
    async with open_pool(Options(system.database_url), "bench", hot=True) as pool:
        given = seed.services(system)
        found = await _queue_id(pool, queue)
        facts = JobFacts()
        run = Batched(found, queue, Dispatcher(pool, given, facts), Reporter(pool, given, facts), time.perf_counter() + seconds)
        begin = time.perf_counter()
        await asyncio.gather(*(run.work() for _ in range(BATCHES_AT_ONCE)))
        passed = time.perf_counter() - begin
        async with pool.acquire() as connection:
            left = await bench.n_ready(connection, [queue])
    if passed < seconds and not left:
        raise Unavailable(f"the queue {queue} ran dry", code="bench.dry", hint="this is a fault of the benchmark: tell the developers")
    return run.lives / passed


async def _queue_id(pool: Pool, name: str) -> int:
    async with pool.acquire() as connection:
        queue = await places.queue_by_name(connection, name)
    assert queue is not None, "the system is prepared"
    return queue.queue_id


def _claim(queue: str) -> ClaimRequest:
    return ClaimRequest(1, "bench", uuid4().hex, queue, "bench", n_jobs=JOBS_A_BATCH, cores=1, memory_mb=64_000, disk_mb=1_000_000, architecture="x86_64")


def _report(job: JobSpec) -> JobReport:
    written = tuple(WrittenFile(each.stream, each.name, 1000, "0a0b0c0d", str(uuid4())) for each in job.outputs)
    return JobReport(job.job_id, job.claim_id, job.attempt, SUCCESS, started_at=1.0, wall_seconds=1.5, cpu_seconds=1.0, max_rss_mb=50.0, outputs=written)
