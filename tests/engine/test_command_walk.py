"""The random walk with every command: whatever is asked, and in whatever order, the books agree after every step, and all comes to an end."""

import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from pandawms.domain.errors import Conflict, PandaError
from tests.engine import invariants
from tests.engine.play import FAILED, HOPELESS, ask, beat, rows
from tests.engine.test_extend_fork_recover import fork
from tests.engine.test_random_walk import STEPS, STOPPED, WALKS, Walk
from tests.world import World

OUTPUTS = """SELECT td.task_id, f.name FROM task_dataset td JOIN dataset d USING (dataset_id) JOIN file f USING (dataset_id)
WHERE td.role = 'output' AND d.removed_at IS NULL ORDER BY f.file_id"""


@dataclass
class CommandedWalk(Walk):
    """A walk in which jobs may be taken out of the hands of their pilots: these find that they are gone."""

    async def beat(self) -> None:
        """A pilot says that a job lives, and obeys."""
        job = self.take()
        if job is None:
            return
        verdict = (await beat(self.world, job)).verdict
        if verdict == "ok":
            self.held.append(job)
        elif verdict == "kill":
            assert (await self.world.report(job, STOPPED)).verdict == "accepted"
        else:
            assert (await self.world.report(job)).verdict == "refused"

    async def report(self) -> None:
        """A job ends, one way or another, if it is still its pilot's."""
        job = self.take()
        if job is not None:
            ended = self.chance.choice([None, None, None, FAILED, HOPELESS])
            verdict = (await (self.world.report(job, ended) if ended else self.world.report(job))).verdict
            assert verdict == "accepted" or (verdict == "refused" and (await beat(self.world, job)).verdict == "gone")

    async def command(self) -> None:
        """Some command for some task, which may be refused."""
        tasks = [row["task_id"] for row in await rows(self.world, "SELECT task_id FROM task ORDER BY task_id")]
        if not tasks:
            return
        verb, arguments = self.chance.choice(self._commands())
        with suppress(Conflict):  # another one is pending
            await ask(self.world, verb, task_id=self.chance.choice(tasks), **arguments)

    def _commands(self) -> list[tuple[str, dict[str, Any]]]:
        soft = self.chance.random() < 0.5
        return [
            ("pause", {}), ("resume", {}), ("resume", {}), ("resume", {}), ("set", {"priority": self.chance.randint(0, 100), "attempts": 1}),
            ("reassign", {"soft": soft}), ("reassign", {"nokill": True, "queues": ["local"]}), ("finish", {"soft": soft}), ("retry", {"sole": soft}),
            ("retry", {"changes": {"resources": {"memory_mb": 1500}}}), ("obsolete", {"sole": soft}),
            ("extend", {"changes": {"inputs": {"events": {"count": self.chance.randint(10, 20)}}}}),
        ]  # fmt: skip

    async def lose_output(self) -> None:
        """Some output file is lost."""
        found = await rows(self.world, OUTPUTS)
        if found:
            lost = self.chance.choice(found)
            with suppress(Conflict):
                await ask(self.world, "recover", task_id=lost["task_id"], files=[lost["name"]], sole=self.chance.random() < 0.3)

    async def fork(self) -> None:
        """A copy of some task, which may be refused."""
        found = await rows(self.world, "SELECT task_id FROM task WHERE status NOT IN ('registered', 'obsolete', 'broken') ORDER BY task_id")
        if found:
            name = f"f{len(self.trail)}"
            with suppress(PandaError):  # its output is taken, or its input is gone
                await fork(self.world, self.chance.choice(found)["task_id"], name)

    async def to_the_end(self) -> None:
        """What is paused goes on; then as any walk."""
        await self.world.settle()
        for row in await rows(self.world, "SELECT task_id FROM task WHERE status = 'paused' ORDER BY task_id"):
            await ask(self.world, "resume", task_id=row["task_id"])
        await super().to_the_end()

    async def step(self) -> None:
        """One random step, and then the books are checked."""
        choices: list[tuple[Callable[[], Awaitable[None]], int]] = [
            (self.submit, 2), (self.settle, 6), (self.stage, 8), (self.claim, 8), (self.beat, 3), (self.report, 12), (self.kill_task, 1), (self.grow, 2),
            (self.command, 8), (self.lose_output, 2), (self.fork, 1),
        ]  # fmt: skip
        (chosen,) = self.chance.choices([choice for choice, _ in choices], [weight for _, weight in choices])
        self.trail.append(getattr(chosen, "__name__", "?"))
        await chosen()
        await invariants.check(self.world)


@pytest.mark.parametrize("seed", range(WALKS))
async def test_the_books_agree_whatever_is_asked(world: World, seed: int) -> None:
    walk = CommandedWalk(world, random.Random(1000 + seed))
    try:
        for _ in range(STEPS):
            await walk.step()
        await walk.to_the_end()
    except Exception as error:
        raise AssertionError(f"seed {seed}: {' '.join(walk.trail)}: {error}") from error
