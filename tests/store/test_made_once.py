"""Rows that are made at first need are made once, also when two ask at the same moment."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pandawms.domain.snapshot import Requirement
from pandawms.store import commands, identity, jobs, partitions, places
from pandawms.store.database import Connection
from tests.engine.play import rows
from tests.waiting import until_blocked
from tests.world import World

MAKERS: dict[str, Callable[[Connection, World], Awaitable[int]]] = {
    "requirement": lambda connection, world: jobs.requirement_id(connection, Requirement(cores=7)),
    "site": lambda connection, world: places.ensure_site(connection, "new"),
    "community": lambda connection, world: identity.ensure_community(connection, "new"),
    "user": lambda connection, world: identity.ensure_user(connection, "issuer", "subject", "bob"),
    "command": lambda connection, world: commands.ask(connection, "kill", task_id=10_000_001, asked_by=world.who.user_id),
}


@pytest.mark.parametrize("maker", MAKERS)
async def test_of_two_that_make_the_same_row_both_get_its_id(world: World, maker: str) -> None:
    await world.submit()
    make = MAKERS[maker]
    async with world.pool.acquire() as one, world.pool.acquire() as two:
        transaction = one.transaction()
        await transaction.start()
        first = await make(one, world)
        second: asyncio.Task[Any] = asyncio.create_task(_call(make, two, world))
        await until_blocked(world.pool, two.get_server_pid())
        await transaction.commit()
        assert await second == first
        assert await make(one, world) == first


async def _call(make: Callable[[Connection, World], Awaitable[int]], connection: Connection, world: World) -> int:
    return await make(connection, world)


async def test_room_is_made_before_the_first_row_that_needs_it(world: World) -> None:
    await rows(world, "SELECT setval('job_id', 999998)")
    async with world.pool.acquire() as connection, connection.transaction():
        assert await partitions.make_ahead(connection) == 0, "the next million is there from the start"
    await rows(world, "SELECT setval('job_id', 1999998)")
    async with world.pool.acquire() as connection, connection.transaction():
        assert await partitions.make_ahead(connection) > 0
        assert await partitions.make_ahead(connection) == 0
    task_id = await world.submit()
    ran = await world.run_all()
    assert max(job.job_id for job in ran) > 2_000_000
    assert await world.status(task_id) == "done"
