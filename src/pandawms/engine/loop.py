"""Drives the stages: each steps while it finds work, then sleeps until something wakes it or its poll time is over."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import asyncpg
import structlog

from pandawms.domain.stages import Stage
from pandawms.engine.boundary import DATABASE_AWAY
from pandawms.engine.services import Services
from pandawms.store import database, wake
from pandawms.store.database import Pool

log = structlog.get_logger()

Step = Callable[[Pool, Services], Awaitable[int]]

FOLLOWERS: Mapping[Stage, tuple[Stage, ...]] = {
    Stage.DEFINE: (Stage.BROKER, Stage.AGGREGATE),
    Stage.BROKER: (Stage.GENERATE,),
    Stage.GENERATE: (Stage.PLACE, Stage.BROKER),
    Stage.PLACE: (),
    Stage.AGGREGATE: (Stage.DEFINE, Stage.BROKER, Stage.GENERATE, Stage.AGGREGATE),
    Stage.COMMAND: (Stage.AGGREGATE, Stage.BROKER, Stage.GENERATE),
    Stage.WATCH: (Stage.AGGREGATE, Stage.BROKER),
}
"""Who may find work when a stage did some."""

RESTS = frozenset({Stage.AGGREGATE, Stage.DEFINE})
"""Stages that rest after each step (`rest_seconds`): what every report wakes would otherwise look at the same tasks hundreds of times a second. Woken by its
bell such a stage looks once more after the rest, whatever it found: reports that come within `report.gather.WAKE_SECONDS` of one that rang do not ring."""


def rest_seconds(took: float, done: int) -> float:
    """Returns how long a stage rests after a step of `took` seconds that did so much: between 0.1 and 1 s, 20 times what a single thing took.

    So a stage that looks at the same few tasks again and again leaves the machine to their jobs, and one with many tasks at a time hardly rests.
    """
    return min(1.0, max(0.1, 20 * took / max(done, 1)))


@dataclass(frozen=True, slots=True)
class Loop:
    """All stages of one engine process, each with its alarm bell."""

    pool: Pool
    services: Services
    steps: Mapping[Stage, Step]
    bells: Mapping[Stage, asyncio.Event]

    @classmethod
    def of(cls, pool: Pool, services: Services, steps: Mapping[Stage, Step]) -> "Loop":
        """Makes a loop over these steps."""
        return cls(pool, services, steps, {stage: asyncio.Event() for stage in steps})

    def ring(self, name: str) -> None:
        """Wakes the stage of this name; unknown names are ignored."""
        for stage, bell in self.bells.items():
            if stage == name:
                bell.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Runs all stages until `stop` is set; a step under way is finished."""
        await asyncio.gather(*(self._drive(stage, step, stop) for stage, step in self.steps.items()))

    async def _drive(self, stage: Stage, step: Step, stop: asyncio.Event) -> None:
        bell = self.bells[stage]
        while not stop.is_set():
            looks_again = bell.is_set() and stage in RESTS
            bell.clear()
            started = time.monotonic()
            done = await self._step(stage, step)
            if done:
                self._wake_followers(stage)
            if stage in RESTS:
                await _wait(stop, stop, rest_seconds(time.monotonic() - started, done))
            if not done and not looks_again:
                await _wait(bell, stop, self.services.options.poll_seconds)
            await asyncio.sleep(0)

    def _wake_followers(self, stage: Stage) -> None:
        for follower in FOLLOWERS[stage]:
            if follower in self.bells:
                self.bells[follower].set()

    async def _step(self, stage: Stage, step: Step) -> int:
        """One step; a failure is logged and counts as no work, so that the stage tries again after its poll time."""
        try:
            done = await step(self.pool, self.services)
        except Exception:  # the loop is one of the three boundaries where everything is caught
            log.exception("stage.failed", stage=str(stage))
            return 0
        if done:
            log.info("stage.stepped", stage=str(stage), done=done)
        return done


async def _wait(bell: asyncio.Event, stop: asyncio.Event, seconds: float) -> None:
    """Waits for the bell, the end or the time."""
    waits = [asyncio.ensure_future(bell.wait()), asyncio.ensure_future(stop.wait())]
    _done, pending = await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for wait in pending:
        wait.cancel()


async def listen(options: database.Options, loop: Loop, stop: asyncio.Event) -> None:
    """Rings the loop's bells on NOTIFY until `stop` is set; a lost connection is opened again. Without it polling still finds all work."""
    while not stop.is_set():
        with suppress(asyncpg.PostgresError, *DATABASE_AWAY):
            async with database.listening(options, "engine", {wake.STAGES: loop.ring}) as connection:
                while not stop.is_set() and not connection.is_closed():
                    await _wait(stop, stop, 1)
        await _wait(stop, stop, 1)
