"""Untouched units are ranges of numbers: however they are taken, given back, cancelled and re-opened, every number is processed once and all books agree."""

import asyncio
import random
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from pandawms.domain.errors import Conflict
from pandawms.domain.snapshot import JobKind, Requirement
from pandawms.engine.define.step import step as define
from pandawms.store import jobs, lists, units
from pandawms.store.database import Connection, Options, open_pool
from pandawms.store.list_rows import UnitRow
from pandawms.store.units import Unit
from tests.conftest import Database
from tests.engine import invariants
from tests.engine.play import FILES, add_dataset, rows, told, value
from tests.engine.test_races import another_queue, settle_together
from tests.waiting import until_blocked
from tests.world import World

NEED = Requirement(cores=1, memory_mb=1000, disk_mb=1000, wall_seconds=3600, architecture="any", gpus=0, kind=JobKind.RUN)
RANGES = "SELECT from_number, to_number, status FROM task_range ORDER BY from_number"


async def listed(world: World, count: int, chunk: int = 1, **document: Any) -> int:
    """A task whose input is listed and has no job yet; returns its id."""
    task_id = await world.submit(**{"inputs": {"events": {"count": count}}, "split": {"events_per_job": chunk}} | document)
    await define(world.pool, world.services)
    return task_id


async def give(connection: Connection, world: World, task_id: int, found: list[Unit]) -> list[int]:
    """Makes a job of each of these units, as generate does."""
    job_ids = await jobs.next_ids(connection, len(found))
    await jobs.create(
        connection, task_id=task_id, version=1, kind="run", queue_id=world.queue_id, requirement_id=await jobs.requirement_id(connection, NEED),
        endpoint_id=world.endpoint_id, priority=1000, who="test",
        new=[jobs.NewJob(i, u.attempt + 1, u.job_id, u.number, u.first_event, u.n_events) for i, u in zip(job_ids, found, strict=True)],
        inputs=[jobs.input_of(i, 0, u) for i, u in zip(job_ids, found, strict=True)],
    )  # fmt: skip
    return job_ids


async def intervals(world: World) -> list[tuple[int, int, str]]:
    """All ranges that there are."""
    return [tuple(row) for row in await rows(world, RANGES)]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["events", "files"])
async def test_takers_who_use_what_they_like_and_undo_some_cover_every_number_once(world: World, kind: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "RANGE", 7)  # a setting of ours, small so that there are many ranges
    chance = random.Random(seed)
    if kind == "files":
        await add_dataset(world, 40)
    task_id = await listed(world, 118, 3, **(FILES if kind == "files" else {}))
    n_units, used = 40, list[Unit]()
    while len(used) < n_units:
        async with world.pool.acquire() as connection:
            undone = connection.transaction()
            await undone.start()
            found = await units.take_ready(connection, task_id, chance.randint(1, 30))
            assert [unit.number for unit in found] == sorted(unit.number for unit in found)
            mine = [unit for unit in found if chance.random() < 0.8] or found[:1]
            await give(connection, world, task_id, mine)
            if chance.random() < 0.3:
                await undone.rollback()
                continue
            await undone.commit()
            used += mine
    assert sorted(unit.number for unit in used) == list(range(1, n_units + 1))
    if kind == "events":
        ends = [n for unit in used for n in range(unit.first_event or 0, (unit.first_event or 0) + (unit.n_events or 0))]
        assert sorted(ends) == list(range(1, 119))
    assert await intervals(world) == []
    await invariants.check(world)


async def test_two_engines_share_the_ranges_of_one_task(world: World, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "RANGE", 300)
    await another_queue(world)
    task_id = await world.submit(inputs={"events": {"count": 2_345}}, split={"events_per_job": 1}, scouts={"jobs": 0})
    async with open_pool(Options(database.url, max_connections=6), "test") as pool:
        await settle_together(world, replace(world, pool=pool))
    made = "SELECT count(*) = 2345 AND count(DISTINCT number) = 2345 AND min(number) = 1 AND max(number) = 2345 FROM task_file WHERE task_id = $1"
    assert await value(world, made, task_id) is True
    assert await value(world, "SELECT count(*) FROM job WHERE task_id = $1", task_id) == 2_345
    assert await intervals(world) == []
    await invariants.check(world)


async def test_who_finds_all_ranges_held_waits_and_gets_what_is_left(world: World) -> None:
    task_id = await listed(world, 10)
    async with world.pool.acquire() as one, world.pool.acquire() as two, asyncio.timeout(20):
        async with one.transaction():
            first = await units.take_ready(one, task_id, 4)
            await give(one, world, task_id, first)
            taking = asyncio.create_task(_take(two, task_id, 4))
            await until_blocked(world.pool, two.get_server_pid())
        assert [unit.number for unit in first] == [1, 2, 3, 4]
        assert [unit.number for unit in await taking] == [5, 6, 7, 8]
    assert await intervals(world) == [(5, 10, "ready")], "nobody gave these to a job"


async def _take(connection: Connection, task_id: int, n: int) -> list[Unit]:
    async with connection.transaction():
        return await units.take_ready(connection, task_id, n)


async def test_a_taker_beside_another_gets_other_ranges_without_waiting(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "RANGE", 5)
    task_id = await listed(world, 20)
    async with world.pool.acquire() as one, world.pool.acquire() as two, one.transaction():
        assert [unit.number for unit in await units.take_ready(one, task_id, 5)] == [1, 2, 3, 4, 5]
        async with asyncio.timeout(10):
            assert [unit.number for unit in await _take(two, task_id, 7)] == [6, 7, 8, 9, 10, 11, 12]


async def test_a_unit_that_is_in_no_range_any_more_is_given_to_nobody(world: World) -> None:
    task_id = await listed(world, 5)
    async with world.pool.acquire() as connection, connection.transaction():
        found = await units.take_ready(connection, task_id, 2)
        await give(connection, world, task_id, found)
    async with world.pool.acquire() as connection:
        with pytest.raises(Conflict):
            async with connection.transaction():
                await give(connection, world, task_id, found)
    assert await value(world, "SELECT count(*) FROM job") == 2
    await invariants.check(world)


async def test_a_number_cannot_be_born_twice_even_past_its_range(world: World) -> None:
    task_id = await listed(world, 5)
    async with world.pool.acquire() as connection, connection.transaction():
        await give(connection, world, task_id, await units.take_ready(connection, task_id, 5))
    again = "INSERT INTO task_file (task_id, task_dataset_id, number, status, max_attempts) SELECT task_id, task_dataset_id, 1, 'ready', 1 FROM task_file"
    with pytest.raises(asyncpg.UniqueViolationError):
        await rows(world, again)


@pytest.mark.parametrize("commits", [True, False])
@pytest.mark.parametrize("kind", ["events", "files"])
async def test_what_is_cancelled_waits_for_who_makes_jobs_and_cancels_what_is_left(world: World, kind: str, commits: bool) -> None:
    if kind == "files":
        await add_dataset(world, 100)
    task_id = await listed(world, 100, **(FILES if kind == "files" else {}))
    async with world.pool.acquire() as one, world.pool.acquire() as two, asyncio.timeout(20):
        making = one.transaction()
        await making.start()
        found = await units.take_ready(one, task_id, 30)
        cancelling = asyncio.create_task(_cancel(two, task_id))
        await until_blocked(world.pool, two.get_server_pid())
        await give(one, world, task_id, found)
        await (making.commit() if commits else making.rollback())
        assert await cancelling == (70 if commits else 100)
    left = (31 if commits else 1, 100, "cancelled")
    assert await intervals(world) == ([left] if kind == "events" else [])
    n_rows = 100 if kind == "files" else 30 if commits else 0
    assert await value(world, "SELECT count(*) FROM task_file") == n_rows, "no row is made for what is cancelled"
    done = await world.progress(task_id)
    assert (done.n_used, done.n_failed, done.has_waiting_units) == (100, 70 if commits else 100, False)
    await invariants.check(world)


async def _cancel(connection: Connection, task_id: int) -> int:
    async with connection.transaction():
        return await units.cancel_rest(connection, task_id)


async def test_a_million_untouched_units_are_cancelled_and_opened_again_without_a_row(world: World) -> None:
    task_id = await listed(world, 1_000_000)
    async with world.pool.acquire() as connection, connection.transaction():
        await give(connection, world, task_id, await units.take_ready(connection, task_id, 3))
        assert await units.cancel_rest(connection, task_id) == 999_997
        assert await units.take_ready(connection, task_id, 10) == []
        assert (await units.progress(connection, task_id)).n_failed == 999_997
        assert await units.reopen_failed(connection, task_id, 2) == 999_997
        (unit,) = await units.take_ready(connection, task_id, 1)
    assert (unit.number, unit.attempt, unit.is_ranged) == (4, 0, True)
    found = await world.progress(task_id)
    assert (found.n_listed, found.n_used, found.n_failed, found.has_waiting_units) == (1_000_000, 3, 0, True)
    assert await value(world, "SELECT count(*) FROM task_file") == 3
    await invariants.check(world)


async def test_files_that_were_cancelled_untouched_are_ready_again_after_a_retry(world: World) -> None:
    await add_dataset(world, 6)
    task_id = await listed(world, 0, **FILES)
    async with world.pool.acquire() as connection, connection.transaction():
        await give(connection, world, task_id, await units.take_ready(connection, task_id, 2))
        assert await units.cancel_rest(connection, task_id) == 4
        assert await units.reopen_failed(connection, task_id, 2) == 4
        assert [unit.number for unit in await units.take_ready(connection, task_id, 10)] == [3, 4, 5, 6]
    await invariants.check(world)


async def test_a_task_that_is_finished_early_and_retried_processes_the_rest(world: World) -> None:
    task_id = await listed(world, 40, 2)
    async with world.pool.acquire() as connection, connection.transaction():
        await give(connection, world, task_id, await units.take_ready(connection, task_id, 1))
    await told(world, "finish", task_id)
    assert await world.status(task_id) in ("finished", "failed")
    await invariants.check(world)
    await told(world, "retry", task_id)
    await world.run_all()
    assert await world.status(task_id) == "done"
    found = await world.progress(task_id)
    assert (found.n_finished, found.n_events_finished) == (20, 40)
    await invariants.check(world)


async def test_the_list_of_inputs_shows_units_that_nobody_touched(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "RANGE", 4)
    task_id = await listed(world, 25, 2)
    async with world.pool.acquire() as connection, connection.transaction():
        found = await units.take_ready(connection, task_id, 6)
        await give(connection, world, task_id, [found[0], found[3], found[5]])
    shown, after = list[UnitRow](), None
    async with world.pool.acquire() as connection:
        while page := await lists.page(connection, lists.UNITS, {"task_id": task_id, "status": None}, after, 5, 10):
            shown, after = shown + page, page[-1].number
        ready = await lists.page(connection, lists.UNITS, {"task_id": task_id, "status": ["ready"]}, None, 100, 10)
    assert [row.number for row in shown] == list(range(1, 14))
    assert [row.number for row in shown if row.unit_id is not None] == [1, 4, 6]
    assert [(row.first_event, row.n_events) for row in shown] == [(1 + 2 * n, 2 if n < 12 else 1) for n in range(13)]
    assert [row.number for row in ready] == [2, 3, 5, 7, 8, 9, 10, 11, 12, 13]
