"""Work for the benchmark: tasks over files, one input and one output a job, made by the door and the stages that every task goes through."""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from pandawms.data.blobs import Blobs
from pandawms.data.builtin import BuiltIn
from pandawms.domain.errors import Unavailable
from pandawms.domain.identity import Who
from pandawms.domain.stages import Stage
from pandawms.engine.services import Services
from pandawms.engine.submission import submit
from pandawms.main.bench.system import System
from pandawms.main.bootstrap import COMMUNITY
from pandawms.main.engine import STEPS
from pandawms.store import bench, catalogue, events, places
from pandawms.store.database import Connection, Pool
from pandawms.wire.checks import decode_document

FILES_A_STATEMENT = 10_000
PATIENCE_SECONDS = 900.0
SETTLE_AFTER = 50_000
"""Jobs added at once after which tables are tidied; fewer are left to PostgreSQL, as in a system that works."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Tasks to submit: in turn for these queues, memory classes and shares (names; none is the community's first), so many jobs each."""

    jobs_a_task: int
    tasks: int = 0
    queues: Sequence[str] = ("bench",)
    memory_mb: Sequence[int] = (1000,)
    shares: Sequence[str] = ()

    @property
    def jobs(self) -> int:
        """How many jobs they are together."""
        return self.tasks * self.jobs_a_task


def services(system: System) -> Services:
    """Returns what stages and doors are given in this process."""
    return Services(BuiltIn(), Blobs(system.folder / "blobs"))


async def submit_tasks(pool: Pool, system: System, wish: Wish) -> list[int]:
    """Registers the inputs and submits the tasks; returns their ids. The engine does the rest."""
    found = []
    for n in range(wish.tasks):
        did = await _dataset(pool, system, wish.jobs_a_task)
        async with pool.acquire() as connection, connection.transaction():
            found.append(await _submit(connection, system, wish, n, did))
    return found


async def _dataset(pool: Pool, system: System, n_files: int) -> str:
    """A closed dataset of so many files, as the API makes it."""
    assert system.local is not None, "the system is prepared"
    scope, name, who = f"user.{system.local.user}", f"bench-{uuid4().hex[:12]}", system.local.user
    async with pool.acquire() as connection:
        (endpoint,) = await places.endpoints(connection)
        async with connection.transaction():
            community_id = await connection.fetchval("SELECT community_id FROM community WHERE name = $1", COMMUNITY)
            dataset_id = await catalogue.add_dataset(connection, community_id=community_id, owner_id=system.local.user_id, scope=scope, name=name)
            assert dataset_id is not None, "the name is new"
            await events.log(connection, "dataset", dataset_id, "create", None, "open", who)
        for first in range(0, n_files, FILES_A_STATEMENT):
            some = range(first, min(first + FILES_A_STATEMENT, n_files))
            new = [catalogue.NewFile(f"{name}.{n:07d}", uuid4(), 1000, b"\0\0\0\1", None) for n in some]
            async with connection.transaction():
                await catalogue.add_files(connection, dataset_id, scope, new, endpoint.endpoint_id)
        async with connection.transaction():
            await catalogue.close_dataset(connection, dataset_id)
            await events.log(connection, "dataset", dataset_id, "close", "open", "closed", who)
    return f"{scope}:{name}"


async def _submit(connection: Connection, system: System, wish: Wish, n: int, did: str) -> int:
    assert system.local is not None, "the system is prepared"
    document = {
        "name": f"bench-{uuid4().hex[:12]}", "program": {"command": "reconstruct %IN > %OUT"}, "inputs": {"in": {"dataset": did}},
        "split": {"files_per_job": 1}, "scouts": {"jobs": 0}, "outputs": {"out": "out.root"}, "queues": [wish.queues[n % len(wish.queues)]],
        "resources": {"memory_mb": wish.memory_mb[n % len(wish.memory_mb)], "disk_mb": 1000, "wall_seconds": 3600},
    }  # fmt: skip
    who = Who(system.local.user_id, system.local.user, COMMUNITY, scopes=frozenset({"user"}))
    task_id = (await submit(connection, services(system), who, decode_document(document))).task_id
    if wish.shares:
        community_id = await connection.fetchval("SELECT community_id FROM task WHERE task_id = $1", task_id)
        share_id = await places.ensure_share(connection, community_id, wish.shares[n % len(wish.shares)], 1.0)
        await bench.put_task_in_share(connection, task_id, share_id)
    return task_id


def fill(system: System, wish: Wish, ready: int) -> None:
    """Leaves at least `ready` jobs to be claimed in the wish's queues, adding tasks of its kind in this process. Raises Unavailable when they do not come."""
    missing = ready - system.ask(lambda connection: bench.n_ready(connection, wish.queues))
    if missing > 0:
        tasks = max(len(wish.queues), len(wish.memory_mb), len(wish.shares), -(-missing // wish.jobs_a_task))
        more = Wish(-(-missing // tasks), tasks, wish.queues, wish.memory_mb, wish.shares)
        system.run(lambda pool: _fill(pool, system, more))
    if missing > SETTLE_AFTER:
        system.ask(bench.settle)


async def _fill(pool: Pool, system: System, wish: Wish) -> None:
    """The stages run in this process; an engine that runs beside it takes its part."""
    async with pool.acquire() as connection:
        before = await bench.n_ready(connection, wish.queues)
    await submit_tasks(pool, system, wish)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        done = await drive(pool, system, Stage.DEFINE, Stage.BROKER, Stage.GENERATE, Stage.PLACE)
        async with pool.acquire() as connection:
            if not done and await bench.n_ready(connection, wish.queues) >= before + wish.jobs:
                return
    raise Unavailable(f"{wish.jobs} jobs did not become ready", code="bench.seed", hint=f"look into {system.folder / 'logs' / 'engine.log'}")


async def drive(pool: Pool, system: System, *stages: Stage) -> int:
    """Lets these stages do one step each; returns how much they found to do."""
    given = services(system)
    return sum([await STEPS[stage](pool, given) for stage in stages])


def fill_archive(system: System, rows: int) -> None:
    """Leaves at least so many rows of long ended jobs in the archive, below the ids of all others. Only for a system that has no jobs yet."""
    if system.ask(bench.n_archived) < rows * 0.95:
        system.run(lambda pool: _fill_archive(pool, rows))
        system.ask(bench.settle)


async def _fill_archive(pool: Pool, rows: int) -> None:
    """A partition at a time on each core."""
    async with pool.acquire() as connection:
        queue = await places.queue_by_name(connection, "bench")
        await bench.start_job_ids_at(connection, rows // bench.PARTITION * bench.PARTITION + bench.PARTITION)
    assert queue is not None, "the system is prepared"
    todo = [(max(1, first), min(first + bench.PARTITION, rows) - 1) for first in range(0, rows, bench.PARTITION)]

    async def work() -> None:
        while todo:
            first_id, last_id = todo.pop(0)
            async with pool.acquire() as connection:
                await bench.fill_archive(connection, first_id, last_id, queue.queue_id)

    await asyncio.gather(*(work() for _ in range(os.cpu_count() or 1)))
