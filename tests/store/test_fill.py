"""Counts of hot jobs and of the jobs of large tasks are counted once for many who ask, and never by a claim."""

import asyncio
from datetime import timedelta

import pytest

from pandawms.store import database, places, tasks
from pandawms.store.database import Connection
from tests import past
from tests.conftest import Database
from tests.waiting import until, until_waits_for
from tests.world import World

HOT = """
INSERT INTO job (job_id, task_id, community_id, share_id, queue_id, requirement_id, priority, attempt, status)
SELECT $1 + i, 1, 1, 1, 1, 1, 1, 1, 'activated' FROM generate_series(1, $2::integer) i
"""
FEW, MANY = 9_000, 30_000


async def age(connection: Connection, table: str, by: timedelta) -> None:
    """Turns the time back at which something was counted."""
    await connection.execute(f"UPDATE {table} SET counted_at = counted_at - $1::interval", by)


async def activated(connection: Connection) -> int:
    """How many activated jobs the queue shows."""
    (queue,) = await places.queues(connection)
    assert (await places.jobs_by_status(connection)).get("activated", 0) == queue.activated_jobs
    return queue.activated_jobs


async def test_few_jobs_are_counted_each_time(world: World) -> None:
    async with world.pool.acquire() as connection:
        assert await activated(connection) == 0
        await connection.execute(HOT, 0, FEW)
        assert await activated(connection) == FEW
        await connection.execute("DELETE FROM job")
        assert await activated(connection) == 0
        assert await connection.fetchval("SELECT count(*) FROM job_fill") == 0


async def test_many_jobs_are_counted_again_when_the_last_count_is_old(world: World) -> None:
    async with world.pool.acquire() as connection:
        await connection.execute(HOT, 0, MANY)
        assert await activated(connection) == MANY
        await connection.execute("UPDATE job_fill_age SET counted_at = now() + interval '1 min'")  # a slow test must not make it old
        await connection.execute(HOT, MANY, 1000)
        assert await activated(connection) == MANY, "it is believed for a while"
        await age(connection, "job_fill_age", timedelta(minutes=1, milliseconds=310))
        assert await activated(connection) == MANY + 1000


async def test_of_two_who_ask_one_counts_and_the_other_takes_what_is_there(world: World) -> None:
    async with world.pool.acquire() as one, world.pool.acquire() as two:
        assert await activated(two) == 0
        await two.execute(HOT, 0, 10)
        counting = one.transaction()
        await counting.start()
        assert await activated(one) == 10
        assert await activated(two) == 0
        await counting.commit()
        assert await activated(two) == 10


async def test_who_may_only_read_takes_what_is_there(world: World, database_url: str) -> None:
    async with world.pool.acquire() as connection:
        await connection.execute(HOT, 0, 10)
        async with database.open_pool(database.Options(database_url, is_read_only=True), "read") as pool, pool.acquire() as reader:
            assert await activated(reader) == 0
            assert await activated(connection) == 10
            assert await activated(reader) == 10


@pytest.fixture
async def large_task(database: Database) -> int:
    """A task with 12,000 ended jobs, a hundredth of them second attempts."""
    async with database.pool.acquire() as connection:
        return await past.fill(connection, 12_000, jobs_per_task=12_000, days_ago=10, tables=("job_archive",))


async def test_the_counts_of_a_large_task_that_ended_are_kept(database: Database, large_task: int) -> None:
    async with database.pool.acquire() as connection:
        first = (await tasks.job_counts(connection, [large_task]))[large_task]
        assert {count.status: count.n for count in first} == {"failed": 120, "finished": 11_880}
        assert sum(count.retries for count in first) == 120
        assert sum(count.wall_seconds for count in first) == 18_000
        await connection.execute("DELETE FROM job_archive")
        await age(connection, "task_fill", timedelta(hours=1))
        assert (await tasks.job_counts(connection, [large_task]))[large_task] == first


async def test_the_counts_of_a_large_task_that_runs_are_believed_for_a_while(database: Database, large_task: int) -> None:
    async with database.pool.acquire() as connection:
        await connection.execute("UPDATE task SET status = 'running', ended_at = NULL")
        first = await tasks.job_counts(connection, [large_task])
        await connection.execute("DELETE FROM job_archive WHERE job_id < 11000")
        await connection.execute("UPDATE task_fill SET counted_at = now() + interval '1 min'")
        assert await tasks.job_counts(connection, [large_task]) == first
        await age(connection, "task_fill", timedelta(minutes=1, milliseconds=120))
        assert sum(count.n for count in (await tasks.job_counts(connection, [large_task]))[large_task]) == 1000


async def by_status(database: Database, task_id: int) -> dict[str, int]:
    """The counts of a task as they are told."""
    async with database.pool.acquire() as connection:
        return {count.status: count.n for count in (await tasks.job_counts(connection, [task_id]))[task_id]}


async def test_counts_with_a_hot_job_are_not_kept_for_ever_though_the_task_has_ended(database: Database, large_task: int) -> None:
    async with database.pool.acquire() as connection:
        await connection.execute(HOT.replace("$1 + i, 1,", f"$1 + i, {large_task},"), 20_000, 1)
        assert await by_status(database, large_task) == {"activated": 1, "failed": 120, "finished": 11_880}
        await connection.execute("DELETE FROM job")
        await age(connection, "task_fill", timedelta(hours=1))
    assert await by_status(database, large_task) == {"failed": 120, "finished": 11_880}


async def test_counts_of_before_the_end_are_not_kept_for_ever_though_they_were_written_after_it(database: Database, large_task: int) -> None:
    async with database.pool.acquire() as connection:
        await connection.execute("UPDATE task SET status = 'running', ended_at = NULL")
        async with connection.transaction():
            await connection.execute("LOCK TABLE task_fill IN SHARE MODE")
            counting = asyncio.create_task(by_status(database, large_task))
            await until_waits_for(database.pool, connection.get_server_pid())
            async with database.pool.acquire() as other:
                await other.execute("DELETE FROM job_archive WHERE status = 'failed'")
                await other.execute("UPDATE task SET status = 'done', ended_at = now()")
        assert (await counting)["failed"] == 120

    async def is_right() -> bool:
        return await by_status(database, large_task) == {"finished": 11_880}

    await until(is_right, "the jobs are counted again", 3)


async def test_counts_can_be_read_where_nothing_may_be_written(database: Database, large_task: int) -> None:
    async with database.pool.acquire() as connection, connection.transaction(readonly=True):
        assert sum(count.n for count in (await tasks.job_counts(connection, [large_task]))[large_task]) == 12_000
