"""What the tests of the engine do beside the happy path: expire leases, ask commands, add files, and look into the tables."""

from typing import Any
from uuid import UUID, uuid4

import asyncpg

from pandawms.domain.codes import Code
from pandawms.domain.outcome import Outcome, outcome
from pandawms.engine.watch.hearing import hear
from pandawms.engine.watch.step import step as watch_step
from pandawms.store import catalogue, commands, events, identity, places
from pandawms.store.catalogue import NewFile
from pandawms.wire.pilot.claim import JobSpec
from pandawms.wire.pilot.heartbeat import BeatVerdict, JobBeat, Phase
from pandawms.wire.pilot.report import PayloadReport
from tests.world import World

FAILED = outcome(Code.PAYLOAD_FAILED, "exit 1", exit_code=1)
HOPELESS = outcome(Code.COMMAND_NOT_FOUND, "no such program", exit_code=127)
MERGE: dict[str, Any] = {"inputs": "out", "command": "cat %IN > %OUT", "outputs": {"whole": "whole.txt"}}
FILES: dict[str, Any] = {"program": {"command": "cat %IN > %OUT"}, "inputs": {"in": {"dataset": "user.ada:in"}}, "split": {"files_per_job": 1}}


async def rows(world: World, query: str, *arguments: Any) -> list[asyncpg.Record]:
    """The rows of a query."""
    async with world.pool.acquire() as connection:
        return await connection.fetch(query, *arguments)


async def value(world: World, query: str, *arguments: Any) -> Any:
    """The first value of a query."""
    async with world.pool.acquire() as connection:
        return await connection.fetchval(query, *arguments)


async def expire(world: World, *job_ids: int) -> None:
    """Puts the leases of these jobs (all when none is named) into the past."""
    await rows(
        world,
        "WITH held AS MATERIALIZED (SELECT job_id FROM job WHERE lease_expires_at IS NOT NULL AND (job_id = ANY ($1) OR cardinality($1) = 0) "
        "ORDER BY job_id FOR NO KEY UPDATE) UPDATE job j SET lease_expires_at = now() - interval '1 s' FROM held WHERE j.job_id = held.job_id",
        list(job_ids),
    )


async def watch(world: World) -> int:
    """One round of watch, at a time in which servers hear; returns how many jobs it ended."""
    await hear(world.pool, world.services)
    return await watch_step(world.pool, world.services)


async def lose(world: World, *job_ids: int) -> None:
    """Lets the leases of jobs run out."""
    await hear(world.pool, world.services)
    await expire(world, *job_ids)
    await watch_step(world.pool, world.services)


async def ask(world: World, verb: str, *, task_id: int | None = None, job_id: int | None = None, **arguments: Any) -> int:
    """Writes a command of the user, which the command stage has not applied yet."""
    async with world.pool.acquire() as connection:
        return await commands.ask(connection, verb, task_id=task_id, job_id=job_id, asked_by=world.who.user_id, arguments=arguments)


async def told(world: World, verb: str, task_id: int, **arguments: Any) -> str:
    """Gives a task a command, lets the engine work, and returns what came of it."""
    command_id = await ask(world, verb, task_id=task_id, **arguments)
    await world.settle()
    return await answer(world, command_id)


async def answer(world: World, command_id: int) -> str:
    """What came of a command."""
    return str(await value(world, "SELECT answer FROM command WHERE command_id = $1", command_id))


async def beat(world: World, job: JobSpec, phase: Phase = "running", payloads: tuple[PayloadReport, ...] = ()) -> BeatVerdict:
    """A heartbeat of a job, as its pilot would send it."""
    (verdict,) = await world.reporter.heartbeat(world.queue_id, [JobBeat(job.job_id, job.claim_id, job.attempt, phase, payloads=payloads)])
    return verdict


async def add_dataset(world: World, n_files: int, name: str = "in", *, is_open: bool = False) -> int:
    """Makes a dataset user.ada:name with files that the queue can read, and returns its id."""
    async with world.pool.acquire() as connection, connection.transaction():
        community_id = await identity.ensure_community(connection, "local")
        made = await catalogue.add_dataset(connection, community_id=community_id, owner_id=world.who.user_id, scope="user.ada", name=name)
        assert made is not None
        await events.log(connection, "dataset", made, "create", None, "open", "test")
        await catalogue.add_files(connection, made, "user.ada", new_files(n_files), world.endpoint_id)
    if not is_open:
        await close_dataset(world, made)
    return made


async def add_files(world: World, dataset_id: int, n_files: int, first: int) -> None:
    """Adds files to an open dataset."""
    async with world.pool.acquire() as connection, connection.transaction():
        await catalogue.add_files(connection, dataset_id, "user.ada", new_files(n_files, first), world.endpoint_id)


async def close_dataset(world: World, dataset_id: int) -> None:
    """Closes a dataset."""
    async with world.pool.acquire() as connection, connection.transaction():
        if await catalogue.close_dataset(connection, dataset_id):
            await events.log(connection, "dataset", dataset_id, "close", "open", "closed", "test")


def new_files(n_files: int, first: int = 0) -> list[NewFile]:
    """Files with names that sort by number."""
    return [NewFile(f"f{i:06d}", uuid4(), 100, b"\0\0\0\1", 10) for i in range(first, first + n_files)]


async def hot(world: World, task_id: int) -> dict[str, int]:
    """How many jobs of a task that have not ended have each status."""
    return {row["status"]: row["n"] for row in await rows(world, "SELECT status, count(*) AS n FROM job WHERE task_id = $1 GROUP BY 1", task_id)}


async def ended(world: World, task_id: int) -> dict[str, int]:
    """How many jobs of a task that ended have each status."""
    return {row["status"]: row["n"] for row in await rows(world, "SELECT status, count(*) AS n FROM job_archive WHERE task_id = $1 GROUP BY 1", task_id)}


async def unit_statuses(world: World, task_id: int) -> dict[str, int]:
    """How many units of a task have each status."""
    return {row["status"]: row["n"] for row in await rows(world, "SELECT status, count(*) AS n FROM task_file WHERE task_id = $1 GROUP BY 1", task_id)}


async def outputs(world: World, task_id: int, stream: str = "out") -> list[str]:
    """The names of the files in an output dataset, sorted."""
    found = await rows(
        world,
        "SELECT f.name FROM file f JOIN task_dataset td USING (dataset_id) WHERE td.task_id = $1 AND td.stream = $2 AND td.role <> 'input' ORDER BY 1",
        task_id, stream,
    )  # fmt: skip
    return [row["name"] for row in found]


async def run_with(world: World, outcomes: dict[tuple[str, int], Outcome], most: int = 1000) -> list[JobSpec]:
    """Runs all jobs; those of (kind, serial) in `outcomes` end so, all others succeed. Returns the jobs in the order in which they ran."""
    ran: list[JobSpec] = []
    await world.settle()
    while len(ran) < most and (jobs := await world.claim()):
        job = jobs[0]
        wanted = outcomes.get((job.kind, job.traits.serial or 0))
        await (world.report(job, wanted) if wanted else world.report(job))
        ran.append(job)
        await world.settle()
    return ran


async def add_queue(world: World, name: str = "second", endpoint_id: int | None = None) -> int:
    """Another queue, over the same storage unless another is named."""
    async with world.pool.acquire() as connection, connection.transaction():
        community_id = await value(world, "SELECT community_id FROM community WHERE name = 'local'")
        site_id = await places.ensure_site(connection, "there")
        queue_id, _ = await places.put_queue(
            connection, community_id, site_id, name, cores=1, memory_mb=8000, disk_mb=10_000, max_wall_seconds=86_400, architecture="x86_64", slots=2
        )
        await places.put_queue_storage(connection, queue_id, endpoint_id or world.endpoint_id, 1, 1)
        await events.log(connection, "queue", queue_id, "add", None, "online", "test")
    return queue_id


def claim_uuid(job: JobSpec) -> UUID:
    """The claim that a job is leased under."""
    return UUID(job.claim_id)
