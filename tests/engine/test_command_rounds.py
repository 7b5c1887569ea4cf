"""A command works in rounds of some jobs: in between, pilots claim and report, others' commands get on, and a process may die."""

import asyncio
from dataclasses import replace

import asyncpg
import pytest

from pandawms.engine.command.step import step as command
from pandawms.engine.services import Options
from pandawms.store.database import Options as DatabaseOptions
from pandawms.store.database import open_pool
from tests.conftest import Database
from tests.engine import invariants
from tests.engine.play import answer, ask, ended, hot, rows, unit_statuses, value
from tests.waiting import until
from tests.world import World

MANY = {"inputs": {"events": {"count": 40}}, "split": {"events_per_job": 1}}


async def _is_blocked(world: World) -> bool:
    question = "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'panda-doomed' AND wait_event_type = 'Lock'"
    return bool(await value(world, question))


@pytest.fixture
def small(world: World) -> World:
    """A world whose commands take five jobs a round."""
    return replace(world, services=replace(world.services, options=Options(lease_seconds=30, heartbeat_seconds=5, jobs_per_round=5, units_per_round=3)))


async def test_a_kill_takes_five_jobs_a_round_and_pilots_go_on_in_between(small: World) -> None:
    task_id = await small.submit(**MANY)
    await small.settle()
    (held,) = await small.claim()
    command_id = await ask(small, "kill", task_id=task_id)
    assert await command(small.pool, small.services) == 1
    assert (await small.status(task_id), await ended(small, task_id)) == ("aborting", {}), "the first round ends no job"
    await command(small.pool, small.services)
    assert sum((await ended(small, task_id)).values()) == 4, "four that waited, and the pilot of the fifth is told"
    found = await rows(small, "SELECT progress, applied_at FROM command WHERE command_id = $1", command_id)
    assert (found[0]["applied_at"], found[0]["progress"]["counts"]) == (None, {"cancelled": 4, "told": 1})
    assert (await small.report(held)).verdict == "accepted"
    (late,) = await small.claim()
    await small.settle()
    assert await answer(small, command_id) == "killed: 38 jobs ended, the pilots of 2 jobs told to stop"
    assert (await small.report(late)).verdict == "accepted"
    await small.settle()
    assert (await small.status(task_id), await ended(small, task_id)) == ("aborted", {"cancelled": 38, "finished": 2})
    await invariants.check(small)


async def test_commands_of_several_tasks_take_turns(small: World) -> None:
    first, second = await small.submit(name="a", **MANY), await small.submit(name="b")
    await small.settle()
    long, short = await ask(small, "kill", task_id=first), await ask(small, "pause", task_id=second)
    for _ in range(6):
        await command(small.pool, small.services)
    assert await value(small, "SELECT applied_at IS NULL FROM command WHERE command_id = $1", long) is True
    assert await answer(small, short) == "paused: 5 ready jobs held"


async def test_a_process_that_dies_in_a_round_loses_nothing(small: World, database: Database) -> None:
    task_id = await small.submit(**MANY)
    await small.settle()
    command_id = await ask(small, "kill", task_id=task_id)
    for _ in range(3):
        await command(small.pool, small.services)
    before = await ended(small, task_id)
    async with small.pool.acquire() as holder, holder.transaction():
        await holder.execute("SELECT 1 FROM task_file WHERE task_id = $1 AND status = 'running' FOR UPDATE", task_id)
        async with open_pool(DatabaseOptions(database.url, max_connections=1), "doomed") as doomed:
            dying = asyncio.create_task(command(doomed, small.services))
            await until(lambda: _is_blocked(small), "the round waits for a lock")
            await rows(small, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'panda-doomed'")
            with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
                await dying
    assert (await ended(small, task_id), await small.status(task_id)) == (before, "aborting")
    await small.settle()
    assert (await answer(small, command_id), await small.status(task_id)) == ("killed: 40 jobs ended", "aborted")
    await invariants.check(small)


async def test_two_engines_share_the_commands_and_no_job_is_ended_twice(small: World, database: Database) -> None:
    tasks = [await small.submit(name=f"t{n}", **MANY) for n in range(4)]
    await small.settle()
    for task_id in tasks:
        await ask(small, "kill", task_id=task_id)

    async def engine(world: World) -> None:
        while await value(small, "SELECT count(*) FROM command WHERE applied_at IS NULL"):
            await command(world.pool, world.services)

    async with open_pool(DatabaseOptions(database.url, max_connections=2), "other") as pool:
        await asyncio.gather(engine(small), engine(replace(small, pool=pool)))
    await small.settle()
    assert [await small.status(task_id) for task_id in tasks] == ["aborted"] * 4
    assert await value(small, "SELECT count(*) FROM job_archive WHERE status = 'cancelled'") == 160
    await invariants.check(small)


async def test_a_retry_opens_three_units_a_round(small: World) -> None:
    task_id = await small.submit(**MANY)
    await small.settle()
    await ask(small, "finish", task_id=task_id)
    await small.settle()
    assert await small.status(task_id) == "failed"
    command_id = await ask(small, "retry", task_id=task_id)
    for _ in range(3):
        await command(small.pool, small.services)
    assert (await small.status(task_id), (await unit_statuses(small, task_id)).get("ready")) == ("toretry", 6)
    assert len(await small.run_all()) == 40
    assert (await answer(small, command_id), await small.status(task_id)) == ("retried: 40 inputs are open again", "done")
    await invariants.check(small)


async def test_a_pause_holds_all_in_rounds_and_set_changes_all(small: World) -> None:
    task_id = await small.submit(**MANY)
    await small.settle()
    await ask(small, "pause", task_id=task_id)
    await small.settle()
    assert await hot(small, task_id) == {"throttled": 40}
    await ask(small, "set", task_id=task_id, priority=9)
    await small.settle()
    assert await value(small, "SELECT count(*) FROM job WHERE priority = 9") == 40
    await ask(small, "resume", task_id=task_id)
    assert len(await small.run_all()) == 40
    await invariants.check(small)
