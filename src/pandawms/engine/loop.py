"""Drives the stages: each steps while it finds work, then sleeps until something wakes it or its poll time is over."""

import asyncio
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

REST_SECONDS: Mapping[Stage, float] = {Stage.AGGREGATE: 0.1, Stage.DEFINE: 0.1}
"""How long a stage rests after each step: what every report wakes would otherwise look at the same tasks hundreds of times a second. Woken by its bell it
looks once more after the rest, whatever it found: reports that come within `report.gather.WAKE_SECONDS` of one that rang do not ring."""


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
            looks_again = bell.is_set() and stage in REST_SECONDS
            bell.clear()
            done = await self._step(stage, step)
            if done:
                self._wake_followers(stage)
            if stage in REST_SECONDS:
                await _wait(stop, stop, REST_SECONDS[stage])
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
