"""The world of the store's tests: the same as the engine's, without an engine."""

import pytest

from pandawms.engine.services import Services
from tests import world as worlds
from tests.conftest import Database


@pytest.fixture
async def world(database: Database, services: Services) -> worlds.World:
    """A world with one user and one queue."""
    return await worlds.make(database.pool, services)
