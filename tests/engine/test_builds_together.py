"""Builds under writers that meet: nobody stops another for good, and nobody who waits is forgotten."""

import asyncio
import itertools
from dataclasses import replace

import pytest

from pandawms.domain.outcome import SUCCESS, Outcome
from pandawms.engine.aggregate.step import step as aggregate
from pandawms.engine.broker.step import step as broker
from pandawms.engine.define.step import step as define
from pandawms.engine.generate.step import step as generate
from pandawms.engine.place.step import step as place
from pandawms.engine.watch.hearing import hear
from pandawms.store.database import open_pool
from tests.conftest import Database
from tests.engine import invariants
from tests.engine.play import FAILED, FILES, HOPELESS, add_dataset, add_files, hot, rows, value
from tests.engine.test_builds import BUILD, submit
from tests.engine.test_lock_order import WRITERS, Scene, _deadlocks, _eager, _end, _meet, _slow_down
from tests.waiting import until_waits_for
from tests.world import World

PAIRS = [pair for pair in itertools.combinations_with_replacement(("report", "kill", "kill_jobs", "aggregate", "generate", "watch"), 2) if pair[0] in WRITERS]


@pytest.mark.parametrize("outcome", [SUCCESS, FAILED, HOPELESS], ids=["finished", "failed", "hopeless"])
async def test_no_two_writers_stop_each_other_over_a_build(world: World, database: Database, outcome: Outcome) -> None:
    await hear(world.pool, world.services)
    await _slow_down(world)
    async with open_pool(_eager(database.url), "one") as one, open_pool(_eager(database.url), "two") as two:
        for number, pair in enumerate(PAIRS):
            task_id = await submit(world, name=f"t{number}")
            await world.settle()
            (build,) = await world.claim()
            await world.report(build, outcome)
            left = await world.claim()
            await _meet(replace(world, pool=one), replace(world, pool=two), Scene(world, [task_id], list(left)), pair)
            await _end(world, Scene(world, [task_id], []))
    assert await _deadlocks(database) == 0
    await invariants.check(world)


async def test_jobs_that_are_made_while_the_build_ends_are_released_with_the_others(world: World) -> None:
    """The end of the build waits for the jobs that are being made, which name it as the one they wait for; it then finds them."""
    dataset_id = await add_dataset(world, 2, is_open=True)
    task_id = await world.submit(**FILES | {"program": {"command": "run %{build} %IN > %OUT"}, "build": BUILD})
    await world.settle()
    (build,) = await world.claim()
    await add_files(world, dataset_id, 3, 2)
    for step in define, broker:
        await step(world.pool, world.services)
    async with world.pool.acquire() as blocker, blocker.transaction():
        await blocker.fetch("SELECT 1 FROM task_dataset WHERE task_id = $1 FOR UPDATE", task_id)
        making = asyncio.create_task(generate(world.pool, world.services))
        await until_waits_for(world.pool, blocker.get_server_pid())
        reporting = asyncio.create_task(world.report(build))
        maker = await value(world, "SELECT pid FROM pg_stat_activity WHERE pg_blocking_pids(pid) = ARRAY[$1::integer]", blocker.get_server_pid())
        await until_waits_for(world.pool, maker)
    await making
    await reporting
    assert await hot(world, task_id) == {"defined": 5}


async def test_who_was_held_when_the_build_ended_is_released_by_aggregate(world: World) -> None:
    task_id = await submit(world)
    await world.settle()
    (build,) = await world.claim()
    held = await value(world, "SELECT max(job_id) FROM job WHERE task_id = $1", task_id)
    async with world.pool.acquire() as other, other.transaction():
        await other.fetch("SELECT 1 FROM job WHERE job_id = $1 FOR NO KEY UPDATE", held)
        await world.report(build)
    assert await hot(world, task_id) == {"defined": 9, "waiting": 1}
    await aggregate(world.pool, world.services)
    await place(world.pool, world.services)
    assert await hot(world, task_id) == {"activated": 10}
    await world.run_all()
    assert await world.status(task_id) == "done"
    await invariants.check(world)


async def test_two_engines_make_one_build(world: World, database: Database) -> None:
    await rows(world, "UPDATE queue SET slots = 10")
    task_id = await submit(world, inputs={"events": {"count": 200}})
    for step in WRITERS["define"], WRITERS["generate"]:
        await asyncio.gather(*(step(world, Scene(world, [task_id], [])) for _ in range(2)))
    await asyncio.gather(*(generate(world.pool, world.services) for _ in range(2)))
    await world.settle()
    assert await value(world, "SELECT count(*) FROM job_spec WHERE kind = 'build'") == 1
    await world.run_all()
    assert await world.status(task_id) == "done"
    await invariants.check(world)
