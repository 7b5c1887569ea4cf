"""The world of the engine's tests."""

import pytest

from pandawms.engine.services import Services
from tests import world as worlds
from tests.conftest import Database


@pytest.fixture
async def world(database: Database, services: Services) -> worlds.World:
    """A world with one user and one queue."""
    return await worlds.make(database.pool, services)
