"""The log can be read to its end while others write: nothing is passed over, nothing comes twice, and the order never changes."""

import asyncio
import random

from pandawms.domain.task import TaskEvent
from pandawms.store import events, tasks
from pandawms.store.events import Position
from tests.world import World

START = Position(0, 0)


async def tail_all(world: World, after: Position, n: int = 100) -> tuple[Position, list[int]]:
    """Reads to the end; returns the position there and the ids that were read."""
    found: list[int] = []
    async with world.pool.acquire() as connection:
        while part := await events.tail(connection, after, n):
            found += [event.event_id for _, event in part]
            after = part[-1][0]
    return after, found


async def test_a_reader_never_passes_a_transaction_that_is_still_open(world: World) -> None:
    early, late = await world.submit(name="early"), await world.submit(name="late")
    after, seen = await tail_all(world, START)
    assert len(seen) >= 2
    async with world.pool.acquire() as slow, world.pool.acquire() as fast:
        transaction = slow.transaction()
        await transaction.start()
        await tasks.move(slow, early, TaskEvent.REFINE, "test")
        await tasks.move(fast, late, TaskEvent.REFINE, "test")
        after_open, seen_open = await tail_all(world, after)
        assert (after_open, seen_open) == (after, []), "the open transaction began first, so all after it waits"
        await tasks.move(slow, early, TaskEvent.LIST_INPUTS, "test")
        await transaction.commit()
        await tasks.move(fast, late, TaskEvent.LIST_INPUTS, "test")
    _, seen = await tail_all(world, after, n=1)
    async with world.pool.acquire() as connection:
        told = {row["event_id"]: row for row in await connection.fetch("SELECT * FROM task_event WHERE event_id = ANY ($1)", seen)}
    assert [(told[i]["task_id"], told[i]["event"]) for i in seen] == [
        (early, "refine"), (early, "list_inputs"), (late, "refine"), (late, "list_inputs"),
    ]  # fmt: skip
    assert len(set(seen)) == len(seen)


async def test_a_transaction_without_a_write_holds_nobody_up(world: World) -> None:
    async with world.pool.acquire() as reader, reader.transaction():
        await reader.fetchval("SELECT count(*) FROM task")
        await world.submit()
        _, seen = await tail_all(world, START)
        assert seen


async def test_a_reader_beside_many_writers_sees_every_change_once_and_always_in_the_same_order(world: World) -> None:
    ids = [await world.submit(name=f"t{i}") for i in range(20)]
    done = asyncio.Event()

    async def write(mine: list[int], seed: int) -> None:
        chance = random.Random(seed)
        for task_id in mine:
            async with world.pool.acquire() as connection, connection.transaction():
                await tasks.move(connection, task_id, TaskEvent.REFINE, "test")
                await connection.execute("SELECT pg_sleep($1)", chance.random() / 50)
                await tasks.move(connection, task_id, TaskEvent.LIST_INPUTS, "test")

    async def read() -> list[int]:
        after, seen = START, list[int]()
        while True:
            is_last = done.is_set()
            after, new = await tail_all(world, after, n=3)
            seen += new
            if is_last:
                return seen

    reading = asyncio.create_task(read())
    await asyncio.gather(*(write(ids[i::4], i) for i in range(4)))
    done.set()
    seen = await reading
    _, again = await tail_all(world, START)
    assert seen == again
    assert len(set(seen)) == len(seen)
    async with world.pool.acquire() as connection:
        written = await connection.fetch("SELECT event_id FROM task_event UNION ALL SELECT event_id FROM job_event UNION ALL SELECT event_id FROM entity_event")
    assert sorted(seen) == sorted(row["event_id"] for row in written)


async def test_a_reader_that_starts_now_begins_after_what_has_happened_and_before_what_is_open(world: World) -> None:
    old, new, done = [await world.submit(name=name) for name in ("old", "new", "done")]
    async with world.pool.acquire() as writer:
        transaction = writer.transaction()
        await transaction.start()
        await tasks.move(writer, new, TaskEvent.REFINE, "test")
        async with world.pool.acquire() as connection:
            await tasks.move(connection, done, TaskEvent.REFINE, "test")
            begin = await events.horizon(connection)
        await transaction.commit()
        await tasks.move(writer, old, TaskEvent.REFINE, "test")
    async with world.pool.acquire() as connection:
        found = [event for _, event in await events.tail(connection, begin, 100) if event.entity == "task"]
    assert [event.entity_id for event in found] == [new, done, old], "what was committed after the open one began comes once more"


async def test_the_changes_of_one_task_are_read_from_where_the_reader_stopped(world: World) -> None:
    task_id = await world.submit()
    await world.run_all()
    async with world.pool.acquire() as connection:
        everything = await events.of_task(connection, task_id, 0, 100)
        rest = await events.of_task(connection, task_id, everything[1].event_id, 100)
        some = await events.of_task(connection, task_id, 0, 3)
    assert [e.event for e in everything] == ["submit", "refine", "list_inputs", "start", "prepare", "complete"]
    assert (rest, some) == (everything[2:], everything[:3])
