import time

from tests.engine.play import *
from tests.world import STAGES


async def test_profile(world):
    await add_dataset(world, 10000)
    task_id = await world.submit(**FILES)

    for r in range(3):
        for s in STAGES:
            t = time.monotonic()
            n = await s(world.pool, world.services)
            print(s.__module__, n, round(time.monotonic() - t, 2))
