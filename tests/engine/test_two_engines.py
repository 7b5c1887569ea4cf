"""Two engines share the work, and each dies again and again, at any point where it awaits something: nothing is lost and nothing is done twice.

`PANDA_TEST_ENGINE_DEATHS` is how many deaths there are (`make soak`).
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from pandawms.domain.errors import PandaError
from pandawms.engine.watch.hearing import hear
from pandawms.engine.watch.step import step as watch
from pandawms.store.database import Options, open_pool
from tests.conftest import Database
from tests.engine.history import History
from tests.engine.mortal import live
from tests.engine.play import FAILED, FILES, MERGE, add_dataset, ask, expire, outputs, rows, value
from tests.waiting import until
from tests.world import STAGES, World

DEATHS = int(os.environ.get("PANDA_TEST_ENGINE_DEATHS", "20"))
SECONDS = 60.0 + 3 * DEATHS
LONGEST_LIFE = 400
"""Awaits of the longest life: a turn of all stages that find work has some hundred."""


@dataclass
class Crowd:
    """Tasks of all kinds in one database, two mortal engines, and pilots."""

    world: World
    url: str
    chance: random.Random
    n_tasks: int = 0
    deaths: Counter[str] = field(default_factory=Counter)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    kept: list[int] = field(default_factory=list)
    """Tasks that nobody commands: all of their input must be processed."""

    async def submit(self) -> None:
        """Another handful of tasks: plain ones, merging ones, a build, scouts, a chain, and one that is commanded."""
        n, self.n_tasks = self.n_tasks, self.n_tasks + 1
        await add_dataset(self.world, 5, f"in{n}")
        files = {"inputs": {"in": {"dataset": f"user.ada:in{n}"}}, "split": {"files_per_job": 2}, "retry": {"max_attempts": 40}}
        tried: dict[str, Any] = {"retry": {"max_attempts": 40}, "scouts": {"jobs": 0}}
        self.kept += [
            await self.world.submit(name=f"plain{n}", **tried),
            await self.world.submit(name=f"merged{n}", merge=MERGE | {"files_per_job": 2}, **tried),
            await self.world.submit(name=f"built{n}", build={"command": "make %OUT", "output": "lib.tgz"}, program={"command": "x %{build} %OUT"}, **tried),
            await self.world.submit(name=f"scouted{n}", scouts={"jobs": 2, "from_jobs": 1, "success": 0.1}, retry={"max_attempts": 40}),
            await self.world.submit(**FILES | files | {"name": f"files{n}"}),
            await self.world.submit(**FILES | files | {"name": f"child{n}", "inputs": {"in": {"task": f"files{n}", "output": "out"}}}),
        ]
        commanded = await self.world.submit(name=f"commanded{n}", retry={"max_attempts": 1})
        for verb in self.chance.choice([["kill"], ["finish", "retry"], ["pause", "resume"], ["reassign"], ["retry"]]):
            await self._ask(verb, commanded)

    async def _ask(self, verb: str, task_id: int) -> None:
        try:
            await ask(self.world, verb, task_id=task_id)
        except PandaError as error:
            assert error.code == "command_pending", error

    async def engine(self, place: int) -> None:
        """One engine after the other at this place, each with its own connections, until all is over."""
        while not self.over.is_set():
            async with AsyncExitStack() as stack:
                pool = await stack.enter_async_context(open_pool(Options(self.url, max_connections=2), f"engine{place}"))
                mine = replace(self.world, pool=pool)
                is_dead = await live(self._work(mine), self.chance.randint(1, LONGEST_LIFE))
                self.deaths[f"engine{place}"] += is_dead

    async def _work(self, mine: World) -> None:
        stages: list[Callable[..., Awaitable[int]]] = [*STAGES, watch]
        while not self.over.is_set():
            self.chance.shuffle(stages)
            for step in stages:
                await step(mine.pool, mine.services)
                await asyncio.sleep(0)

    async def pilot(self) -> None:
        """Runs what there is; some jobs fail, some pilots are lost."""
        while not self.over.is_set():
            for job in await self.world.claim(2):
                lot = self.chance.random()
                if lot < 0.1:
                    await self.world.report(job, FAILED)
                elif lot < 0.15:
                    await expire(self.world, job.job_id)
                else:
                    await self.world.report(job)
            await hear(self.world.pool, self.world.services)
            await asyncio.sleep(0)

    async def lead(self) -> None:
        """New tasks come until there were enough deaths; then all is run to its end."""
        await until(self._has_seen_enough, "engines have died", seconds=SECONDS)
        try:
            await until(self._has_ended, "all tasks have ended", seconds=SECONDS)
        except AssertionError as error:
            error.add_note(str(await rows(self.world, "SELECT task_id, name, status, reason, next_look_at - now() AS wait FROM task WHERE ended_at IS NULL")))
            raise
        self.over.set()

    async def _n_left(self) -> int:
        return int(await value(self.world, "SELECT count(*) FROM task WHERE ended_at IS NULL"))

    async def _has_seen_enough(self) -> bool:
        if await self._n_left() < 4:
            await self.submit()
        return sum(self.deaths.values()) >= DEATHS

    async def _has_ended(self) -> bool:
        await rows(self.world, "UPDATE task SET next_look_at = now() WHERE next_look_at > now() + interval '1 s'")
        for row in await rows(self.world, "SELECT task_id FROM task WHERE status = 'paused'"):
            await self._ask("resume", row["task_id"])
        return not await self._n_left()


@pytest.mark.timeout(3 * SECONDS)
async def test_engines_that_die_at_any_point_lose_nothing_and_do_nothing_twice(world: World, database: Database) -> None:
    crowd = Crowd(world, database.url, random.Random(int(os.environ.get("PANDA_TEST_ENGINE_SEED", "1"))))
    async with asyncio.TaskGroup() as group:
        for work in (crowd.lead, crowd.pilot, crowd.pilot):
            group.create_task(work())
        for place in (0, 1):
            group.create_task(crowd.engine(place))
    await History().check(world)
    assert min(crowd.deaths["engine0"], crowd.deaths["engine1"]) > 0
    for task_id in crowd.kept:
        progress = await world.progress(task_id)
        assert (await world.status(task_id), progress.n_finished) == ("done", progress.n_listed)
    name = "SELECT count(DISTINCT f.name) = count(*) FROM file f JOIN dataset d USING (dataset_id) WHERE d.producer_task_id IS NOT NULL AND NOT d.is_transient"
    assert await value(world, name), "an output was written twice"
    assert await value(world, "SELECT count(*) FROM job") == 0
    assert len(await outputs(world, crowd.kept[0])) == 5
