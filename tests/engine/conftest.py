"""The world of the engine's tests."""

import pytest

from pandawms.engine.services import Services
from tests import world as worlds
from tests.conftest import Database
from tests.engine.play import add_queue
from tests.engine.two_queues import Place, Two


@pytest.fixture
async def world(database: Database, services: Services) -> worlds.World:
    """A world with one user and one queue."""
    return await worlds.make(database.pool, services)


@pytest.fixture
async def two(world: worlds.World) -> Two:
    """The world's own queue and another one."""
    return Two(world, Place(world, world.queue_id, "local"), Place(world, await add_queue(world), "second"))
