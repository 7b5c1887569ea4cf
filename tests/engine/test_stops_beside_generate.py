"""A task is ended while jobs are made from its last units: who holds ranges may wait for the counters of the task, so nobody waits the other way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from pandawms.engine import boundary
from pandawms.engine.aggregate.step import step as aggregate
from pandawms.engine.broker.step import step as broker
from pandawms.engine.command.step import step as command
from pandawms.engine.define.step import step as define
from pandawms.engine.generate.step import step as generate
from pandawms.store.database import Options, open_pool
from pandawms.wire.pilot.claim import JobSpec
from tests.conftest import Database
from tests.engine import invariants
from tests.engine.play import FILES, MERGE, add_dataset, add_files, ask, hot, value
from tests.waiting import until, until_waits_for
from tests.world import World

GATE = 4712
WAIT_AT_GATE = f"""CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF current_setting('application_name') = 'panda-making' THEN PERFORM pg_advisory_xact_lock_shared({GATE}); END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER wait_at_gate AFTER INSERT ON job FOR EACH STATEMENT EXECUTE FUNCTION wait_at_gate()"""
WAITS_FOR_A_LOCK = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def _growing(world: World, *, is_merging: bool) -> tuple[int, JobSpec]:
    """A task that merges two files at a time, whose input has grown by one; a pilot has one of its first jobs, or the job that merges what they wrote."""
    dataset_id = await add_dataset(world, 2, is_open=True)
    task_id = await world.submit(**FILES, outputs={"out": "o.txt"}, merge=MERGE | {"files_per_job": 2}, scouts={"jobs": 0})
    await world.settle()
    job, other = await world.claim(2)
    await world.report(other)
    if is_merging:
        await world.report(job)
        await world.settle()
        (job,) = await world.claim()
        assert job.kind == "merge"
    await add_files(world, dataset_id, 1, 2)
    await define(world.pool, world.services)
    await broker(world.pool, world.services)
    return task_id, job


def _eager(url: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}options=-c%20deadlock_timeout%3D20ms"


@asynccontextmanager
async def _while_jobs_are_made(world: World, database: Database) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Generate holds ranges inside the block, and has not come to the counters; what is given lets aggregate look at the task, and generate go on."""
    async with open_pool(Options(_eager(database.url), max_connections=3), "making") as making:
        async with world.pool.acquire() as guard, guard.transaction():
            await guard.execute(WAIT_AT_GATE)
        async with world.pool.acquire() as guard:
            await guard.execute(f"SELECT pg_advisory_lock({GATE})")
            made = asyncio.create_task(generate(making, world.services))
            await until_waits_for(world.pool, await guard.fetchval("SELECT pg_backend_pid()"))

            async def meet() -> None:
                stopping = asyncio.create_task(aggregate(world.pool, world.services))

                async def is_through_or_waits() -> bool:
                    return stopping.done() or int(await guard.fetchval(WAITS_FOR_A_LOCK)) == 2

                await until(is_through_or_waits, "aggregate is through, or waits as generate does")
                await guard.execute(f"SELECT pg_advisory_unlock({GATE})")
                await asyncio.gather(stopping, made)

            yield meet


async def _command(world: World, task_id: int, verb: str) -> None:
    await ask(world, verb, task_id=task_id)
    while await command(world.pool, world.services):
        pass


@pytest.mark.parametrize(("verb", "status"), [("kill", "aborted"), ("finish", "finished")])
async def test_a_task_that_is_ended_while_its_last_jobs_are_made_ends_at_once(world: World, database: Database, verb: str, status: str) -> None:
    task_id, job = await _growing(world, is_merging=verb == "finish")
    with capture_logs() as logs:
        async with _while_jobs_are_made(world, database) as meet:
            await _command(world, task_id, verb)
            await world.report(job)  # its end changes the counters
            await meet()
        await world.settle()
    assert [log for log in logs if log["event"] == "task.failed_in_stage"] == []
    assert (await world.status(task_id), await hot(world, task_id)) == (status, {})
    assert await value(world, "SELECT count(*) FROM task_file WHERE task_id = $1 AND status NOT IN ('cancelled', 'finished')", task_id) == 0
    await invariants.check(world)


@pytest.mark.parametrize(("verb", "code"), [("kill", "command.kill"), ("finish", "command.finish"), ("pause", "engine.failed")])
async def test_what_fails_on_a_task_that_is_to_end_leaves_the_reason_why_it_ends(world: World, verb: str, code: str) -> None:
    task_id = await world.submit(scouts={"jobs": 0})
    await world.settle()
    await world.claim()
    await _command(world, task_id, verb)
    async with world.pool.acquire() as connection, boundary.of_task(connection, "test", task_id):
        raise ValueError
    assert await value(world, "SELECT reason ->> 'code' FROM task WHERE task_id = $1", task_id) == code
