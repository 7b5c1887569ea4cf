"""A task of a million numbered pieces, ten a job, through the stages of one engine on a real PostgreSQL.

python -m bench.million [--pieces 1000000] [--pieces-per-job 10]

Prints the seconds from the submit until its first jobs can be claimed, until a pilot has claimed one, and until all its jobs are made and can be claimed;
and the most memory that the engine had. The bars are 10 s for the first and 20 s more for the last, and 300 MB.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from pandawms.data.blobs import Blobs
from pandawms.data.builtin import BuiltIn
from pandawms.engine.loop import Loop, listen
from pandawms.engine.services import Services
from pandawms.main.engine import STEPS
from pandawms.store import database
from pandawms.store.embedded import EmbeddedServer, Options
from pandawms.store.migrations import runner
from tests.world import World, make

PATIENCE_SECONDS = 300.0


def services() -> Services:
    """What engine and pilots are given."""
    return Services(BuiltIn(), Blobs(Path(tempfile.gettempdir())))


async def engine(url: str) -> None:
    """All stages, driven as `panda engine` does, until the process is ended."""
    options, stop = database.Options(url), asyncio.Event()
    async with database.open_pool(options, "engine") as pool:
        loop = Loop.of(pool, services(), STEPS)
        await asyncio.gather(loop.run(stop), listen(options, loop, stop))


@asynccontextmanager
async def running(url: str) -> AsyncIterator[psutil.Process]:
    """The engine in a process of its own, for the length of the block."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.million", "--engine", url, stdout=asyncio.subprocess.DEVNULL)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        await process.wait()


async def until(world: World, question: str, engine: psutil.Process) -> float:
    """Asks the database twenty times a second; returns the time at which it said yes."""
    deadline = time.perf_counter() + PATIENCE_SECONDS
    async with world.pool.acquire() as connection:
        while not await connection.fetchval(question):
            assert engine.is_running() and time.perf_counter() < deadline, f"never: {question}"
            await asyncio.sleep(0.05)
    return time.perf_counter()


def peak_mb(process: psutil.Process) -> float:
    """The most memory that a process had so far, as Linux counts it."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


async def measure(url: str, pieces: int, per_job: int) -> dict[str, float]:
    """Submits the task to a running engine; returns what the module says."""
    async with database.open_pool(database.Options(url), "bench") as pool:
        async with pool.acquire() as connection:
            await runner.upgrade(connection)
        world = await make(pool, services())
        async with running(url) as process:
            await until(world, "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'panda-engine-listen'", process)
            begin = time.perf_counter()
            await world.submit(
                name="million", program={"command": "make %SERIAL > %OUT"}, inputs={"work": {"pieces": pieces}}, split={"files_per_job": per_job},
                scouts={"jobs": 0},
            )  # fmt: skip
            submitted = time.perf_counter() - begin
            claimable = await until(world, "SELECT EXISTS (SELECT 1 FROM job WHERE standing = 'ready')", process) - begin
            assert await world.claim(), "a ready job can be claimed"
            claimed = time.perf_counter() - begin
            jobs = -(-pieces // per_job)
            made = await until(world, f"SELECT coalesce(sum(n_used), 0) = {pieces} FROM task_dataset WHERE is_master", process) - begin
            ready = await until(world, "SELECT NOT EXISTS (SELECT 1 FROM job WHERE standing IN ('new', 'assigned'))", process) - begin
            memory = peak_mb(process)
            async with pool.acquire() as connection:
                assert await connection.fetchval("SELECT count(*) FROM job") == jobs, "one job for so many pieces"
                assert await connection.fetchval("SELECT count(*) FROM job_file") == pieces, "every piece is an input"
                assert await connection.fetchval("SELECT count(*) FROM task_range") == 0, "nothing is left"
    return {
        "submitted_seconds": submitted, "claimable_seconds": claimable, "claimed_seconds": claimed, "made_seconds": made, "ready_seconds": ready,
        "engine_mb": memory,
    }  # fmt: skip


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="bench.million", description=__doc__)
    parser.add_argument("--pieces", type=int, default=1_000_000)
    parser.add_argument("--pieces-per-job", type=int, default=10)
    parser.add_argument("--engine", metavar="URL", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.engine:
        asyncio.run(engine(given.engine))
        return
    with tempfile.TemporaryDirectory(prefix="panda-bench-", ignore_cleanup_errors=True) as folder:
        server = EmbeddedServer(Options(folder=Path(folder) / "postgres"))
        try:
            found = asyncio.run(measure(server.start().dsn, given.pieces, given.pieces_per_job))
        finally:
            server.remove()
    print(json.dumps({name: round(value, 2) for name, value in found.items()}, indent=2))


if __name__ == "__main__":
    main()
