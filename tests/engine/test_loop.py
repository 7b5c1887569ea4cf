"""The loop looks as often as reports count on, and outlives what happens to its connections."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import asyncpg
import pytest

from pandawms.domain.stages import Stage
from pandawms.engine import loop as driving
from pandawms.engine.loop import RESTS, Loop, rest_seconds
from pandawms.engine.services import Options, Services
from pandawms.store import database as databases
from pandawms.store import wake
from pandawms.store.database import Pool
from tests.conftest import Database
from tests.waiting import until


@dataclass
class Looks:
    """A step that finds nothing and counts how often it was asked."""

    n: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def step(self, _pool: Pool, _services: Services) -> int:
        """One look."""
        async with self.changed:
            self.n += 1
            self.changed.notify_all()
        return 0

    async def reach(self, n: int, seconds: float = 5) -> None:
        """Returns at the n-th look. Raises TimeoutError after so many seconds without it."""
        async with self.changed:
            await asyncio.wait_for(self.changed.wait_for(lambda: self.n >= n), seconds)


@asynccontextmanager
async def running(pool: Pool, services: Services, stage: Stage) -> AsyncIterator[tuple[Looks, Callable[[], None]]]:
    """A loop over one stage that polls once an hour: its looks, and its bell."""
    looks, stop = Looks(), asyncio.Event()
    loop = Loop.of(pool, replace(services, options=Options(poll_seconds=3600)), {stage: looks.step})
    driven = asyncio.create_task(loop.run(stop))
    yield looks, lambda: loop.ring(stage.value)
    stop.set()
    await asyncio.wait_for(driven, 5)


@pytest.mark.parametrize("stage", sorted(RESTS))
async def test_a_bell_is_followed_by_two_looks_as_what_came_right_after_it_rings_no_bell(database: Database, services: Services, stage: Stage) -> None:
    async with running(database.pool, services, stage) as (looks, ring):
        await looks.reach(1)
        for n in (3, 5):
            ring()
            await looks.reach(n)
            with pytest.raises(TimeoutError):
                await looks.reach(n + 1, 0.4)


@pytest.mark.parametrize(("took", "done", "rest"), [(0.001, 1, 0.1), (0.02, 1, 0.4), (0.02, 10, 0.1), (0.02, 0, 0.4), (5.0, 1, 1.0)])
def test_a_stage_rests_longer_after_a_long_look_at_few_things(took: float, done: int, rest: float) -> None:
    assert rest_seconds(took, done) == pytest.approx(rest)


async def test_a_stage_that_does_not_rest_looks_once_after_a_bell(database: Database, services: Services) -> None:
    async with running(database.pool, services, Stage.PLACE) as (looks, ring):
        await looks.reach(1)
        ring()
        await looks.reach(2)
        with pytest.raises(TimeoutError):
            await looks.reach(3, 0.2)


@pytest.mark.parametrize("failure", [asyncpg.InternalClientError("in a wrong state"), asyncpg.TooManyConnectionsError("too many clients")])
async def test_a_connection_that_cannot_listen_is_opened_again(
    database_url: str, services: Services, database: Database, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    listening, failures = databases.listening, [failure]

    @asynccontextmanager
    async def fails_once(*given: Any) -> AsyncIterator[Any]:
        if failures:
            raise failures.pop()
        async with listening(*given) as connection:
            yield connection

    monkeypatch.setattr(databases, "listening", fails_once)
    stop, loop = asyncio.Event(), Loop.of(database.pool, services, {Stage.PLACE: Looks().step})
    listener = asyncio.create_task(driving.listen(databases.Options(database_url), loop, stop))

    async def has_rung() -> bool:
        assert not listener.done(), listener
        async with database.pool.acquire() as connection:
            await wake.stages(connection, str(Stage.PLACE))
        return loop.bells[Stage.PLACE].is_set()

    await until(has_rung, "the bell rings")
    stop.set()
    await asyncio.wait_for(listener, 5)
