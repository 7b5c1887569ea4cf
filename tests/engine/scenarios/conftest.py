"""The world of a story: its clock is the story's to turn, and when the story ends all books agree."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.engine.history import History
from tests.engine.machine import Clock
from tests.world import World


@pytest.fixture
def clock() -> Clock:
    """The clock of the engine. Leases go by the database's, so that a story puts them into the past instead (`play.lose`)."""
    return Clock()


@pytest.fixture
async def world(world: World, clock: Clock) -> AsyncIterator[World]:
    """The world of the engine's tests under the story's clock; in the end the audit and the second count of the units find nothing."""
    yield replace(world, services=replace(world.services, clock=clock))
    await History().check(world)
