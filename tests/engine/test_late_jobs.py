"""Jobs that are made while their task is killed do not outlive it; jobs whose data never comes stand in nobody's way."""

import asyncio
from dataclasses import replace

from pandawms.domain.task import TaskEvent
from pandawms.engine.aggregate.step import step as aggregate
from pandawms.engine.broker.step import step as broker
from pandawms.engine.define.step import step as define
from pandawms.engine.generate.step import step as generate
from pandawms.engine.place.step import step as place
from pandawms.store import tasks
from tests.engine import invariants
from tests.engine.play import FILES, add_dataset, beat, hot, rows, unit_statuses
from tests.waiting import until_waits_for
from tests.world import World

HALT = (
    "CREATE FUNCTION halt() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NULL; END $$",
    "CREATE TRIGGER halt AFTER INSERT ON job_file FOR EACH STATEMENT EXECUTE FUNCTION halt()",
)


async def test_jobs_that_are_made_while_their_task_is_killed_do_not_outlive_it(world: World) -> None:
    """The kill withdrew the allocations just before this one came to be: what is left of it is the task's own change of status."""
    task_id = await world.submit()
    await define(world.pool, world.services)
    async with world.pool.acquire() as connection, connection.transaction():
        await tasks.move(connection, task_id, TaskEvent.START, "test")
    await broker(world.pool, world.services)
    for statement in HALT:
        await rows(world, statement)
    async with world.pool.acquire() as gate:
        await gate.execute("SELECT pg_advisory_lock(4711)")
        making = asyncio.create_task(generate(world.pool, world.services))
        await until_waits_for(world.pool, gate.get_server_pid())
        async with world.pool.acquire() as connection, connection.transaction():
            await tasks.move(connection, task_id, TaskEvent.KILL, "ada")
            await tasks.touch(connection, [task_id])
        ending = asyncio.create_task(aggregate(world.pool, world.services))
        await until_waits_for(world.pool, await _maker(world))
        await gate.execute("SELECT pg_advisory_unlock(4711)")
        await asyncio.gather(making, ending)
    await world.settle()
    assert (await world.status(task_id), await hot(world, task_id)) == ("aborted", {})
    assert set(await unit_statuses(world, task_id)) <= {"cancelled"}  # units that no job had need no row
    (master,) = await rows(world, "SELECT n_listed, n_used, n_failed FROM task_dataset WHERE task_id = $1 AND is_master", task_id)
    assert tuple(master) == (5, 5, 5)
    await invariants.check(world)


async def _maker(world: World) -> int:
    """The backend that waits at the gate."""
    (row,) = await rows(world, "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    return int(row["pid"])


async def test_jobs_whose_data_never_comes_do_not_keep_others_from_being_placed(world: World) -> None:
    dataset_id = await add_dataset(world, 3)
    await rows(world, "DELETE FROM replica WHERE file_id IN (SELECT file_id FROM file WHERE dataset_id = $1)", dataset_id)
    stuck = await world.submit(**FILES | {"name": "stuck"})
    await world.settle()
    assert await hot(world, stuck) == {"assigned": 3}
    ready = await world.submit(name="ready")
    few = replace(world.services, options=replace(world.services.options, jobs_per_step=2))
    for step in (define, broker, generate, place, place, place):
        await step(world.pool, few)
    assert await hot(world, ready) == {"activated": 5}


async def test_a_job_that_was_claimed_while_its_task_was_killed_is_told_to_stop(world: World) -> None:
    """It was made after the kill had looked for jobs, and a pilot was faster than aggregate."""
    task_id = await world.submit()
    await world.settle()
    (job,) = await world.claim()
    async with world.pool.acquire() as connection, connection.transaction():
        await tasks.move(connection, task_id, TaskEvent.KILL, "ada")
        await tasks.touch(connection, [task_id])
    await world.settle()
    assert (await beat(world, job)).verdict == "kill"
