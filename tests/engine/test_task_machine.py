"""Whatever users, pilots, engines and the clock do to tasks, and in whatever order: all books agree after every step, and every task ends or says why not.

Each walk is a seeded sequence of random actions against the real database, over two engines, two servers and two queues; the trail is in the message of a
failure, and the same seed walks it again. `PANDA_TEST_MACHINE_STEPS` makes it longer (`make soak`), `PANDA_TEST_MACHINE_SEED` begins elsewhere.
"""

import os

import pytest

from pandawms.store.database import Options, open_pool
from tests.conftest import Database
from tests.engine.machine import machine
from tests.world import World

STEPS = int(os.environ.get("PANDA_TEST_MACHINE_STEPS", "200"))
STEPS_PER_WALK = 200
SEED = int(os.environ.get("PANDA_TEST_MACHINE_SEED", "1"))


@pytest.mark.parametrize("seed", range(SEED, SEED + max(1, STEPS // STEPS_PER_WALK)))
async def test_all_books_agree_whatever_happens_and_every_task_ends_or_says_why_not(world: World, database: Database, seed: int) -> None:
    async with open_pool(Options(database.url, max_connections=4), "other") as pool:
        walk = await machine(world, pool, seed)
        await walk.submit()
        try:
            for _ in range(min(STEPS, STEPS_PER_WALK)):
                await walk.step()
            await walk.to_the_end()
        except Exception as error:
            error.add_note(f"seed {seed} after {' '.join(walk.trail)}")
            raise
    if "PANDA_TEST_MACHINE_SHOW" in os.environ:
        print(walk.seen)
