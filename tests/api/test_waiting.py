"""Claims that wait, on the real database: two servers, pilots that come and go, jobs that become ready meanwhile."""

import asyncio
from uuid import uuid4

from pandawms.engine.dispatch.gather import Dispatcher
from pandawms.engine.dispatch.plan import Claim
from pandawms.engine.dispatch.waiting import WaitingRoom
from pandawms.store import wake
from pandawms.store.database import Options, listening
from pandawms.wire.pilot.claim import ClaimRequest, JobSpec
from tests.api.conftest import Api
from tests.conftest import Database
from tests.waiting import until
from tests.world import World

NEVER_SECONDS = 1000.0
"""Nobody looks by himself: only the bell wakes."""


def claim(world: World) -> Claim:
    """A claim of a slot of the world's queue."""
    return Claim(world.queue_id, ClaimRequest(1, "t", uuid4().hex, "local", "n", memory_mb=4000, disk_mb=10_000, architecture="x86_64"))


async def test_each_job_wakes_one_pilot_of_two_servers_whoever_comes_and_goes(api: Api, database: Database) -> None:
    world, stopping = api.world, asyncio.Event()
    rooms = [WaitingRoom(Dispatcher(world.pool, world.services).claim, stopping, NEVER_SECONDS) for _ in range(2)]
    left = [asyncio.Event() for _ in range(60)]
    options = Options(database.url)
    async with listening(options, "a", {wake.QUEUES: rooms[0].ring}), listening(options, "b", {wake.QUEUES: rooms[1].ring}):
        calls = [asyncio.create_task(rooms[n % 2].claim(claim(world), NEVER_SECONDS, lambda n=n: _gone(left[n]))) for n in range(60)]  # type: ignore[misc]

        async def all_wait() -> bool:
            return sum(room.waiting for room in rooms) == 60

        await until(all_wait, "all pilots wait")
        for n in range(4):
            for event in left[n * 15 : n * 15 + 3]:
                event.set()
            await world.submit(name=f"t{n}")
            await world.settle()

        async def twenty() -> bool:
            return sum(bool(call.result()) for call in calls if call.done()) == 20

        await until(twenty, "20 jobs are given", 30)
        stopping.set()
        given: list[JobSpec] = [job for jobs in await asyncio.gather(*calls) for job in jobs]
    assert len({job.job_id for job in given}) == len(given) == 20
    async with world.pool.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM job WHERE status = 'activated'") == 0


async def _gone(event: asyncio.Event) -> None:
    await event.wait()
