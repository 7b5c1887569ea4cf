"""A report that has to wait for a row which somebody else changes ends its job all the same, once the other has committed, whatever the row is."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from pandawms.store.database import Connection, Options, Pool, open_pool
from tests.conftest import Database
from tests.engine import invariants
from tests.engine.play import FAILED, FILES, add_dataset
from tests.waiting import until
from tests.world import World, report_of

CHANGES = {
    "job": "UPDATE job SET lease_expires_at = lease_expires_at + interval '1 s'",
    "task_file": "UPDATE task_file SET max_attempts = max_attempts",
    "task_dataset": "UPDATE task_dataset SET n_listed = n_listed",
    "dataset": "UPDATE dataset SET n_bytes = n_bytes",
}


@pytest.fixture
async def hot(database: Database) -> AsyncIterator[Pool]:
    """Connections as servers have them: with generic plans, whose partitions are chosen when they run."""
    async with open_pool(Options(database.url), "hot", hot=True) as pool:
        yield pool


async def waits(connection: Connection) -> bool:
    """Whether some statement waits for a lock."""
    return bool(await connection.fetchval("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"))


@pytest.mark.parametrize("table", CHANGES)
@pytest.mark.parametrize("is_success", [True, False])
async def test_a_report_waits_for_a_changed_row_and_then_ends_its_jobs(world: World, hot: Pool, table: str, is_success: bool) -> None:
    await add_dataset(world, 6)
    await world.submit(**FILES, retry={"max_attempts": 1})
    await world.settle()
    jobs = await world.claim(6)
    world.reporter.pool = hot
    async with world.pool.acquire() as other, world.pool.acquire() as watcher:
        change = other.transaction()
        await change.start()
        await other.execute(CHANGES[table])
        reports = [report_of(job) if is_success or n else report_of(job, FAILED) for n, job in enumerate(jobs)]
        told = asyncio.create_task(world.reporter.report(world.queue_id, reports))
        await until(lambda: waits(watcher), "the report waits")
        await change.commit()
    assert [verdict.verdict for verdict in await told] == ["accepted"] * 6
    await world.settle()
    await invariants.check(world)


async def test_the_counters_of_datasets_are_locked_before_the_units(world: World, hot: Pool) -> None:
    await add_dataset(world, 2)
    await world.submit(**FILES)
    await world.settle()
    jobs = await world.claim(2)
    world.reporter.pool = hot
    async with world.pool.acquire() as other, world.pool.acquire() as watcher:
        change = other.transaction()
        await change.start()
        await other.execute(CHANGES["dataset"])
        told = asyncio.create_task(world.reporter.report(world.queue_id, [report_of(job) for job in jobs]))
        await until(lambda: waits(watcher), "the report waits for the dataset")
        assert len(await watcher.fetch("SELECT task_file_id FROM task_file FOR UPDATE NOWAIT")) == 2
        await change.commit()
    assert [verdict.verdict for verdict in await told] == ["accepted"] * 2
