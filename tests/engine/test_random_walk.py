"""Whatever users, pilots and the clock do, and in whatever order: every unit is finished at most once and all books agree after every step.

Each walk is a seeded sequence of random steps against the real database; the trail is in the message of a failure, and the same seed walks it again.
`PANDA_TEST_WALKS` and `PANDA_TEST_WALK_STEPS` make it longer (`make soak`).
"""

import os
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest

from pandawms.domain.codes import Code
from pandawms.domain.errors import Conflict
from pandawms.domain.outcome import Outcome, outcome
from pandawms.engine.aggregate.step import step as aggregate
from pandawms.engine.broker.step import step as broker
from pandawms.engine.command.step import step as command
from pandawms.engine.define.step import step as define
from pandawms.engine.generate.step import step as generate
from pandawms.engine.place.step import step as place
from pandawms.wire.pilot.claim import JobSpec
from tests.engine import invariants
from tests.engine.play import FAILED, FILES, HOPELESS, MERGE, add_dataset, add_files, ask, beat, close_dataset, lose, rows, value
from tests.world import World

WALKS = int(os.environ.get("PANDA_TEST_WALKS", "3"))
STEPS = int(os.environ.get("PANDA_TEST_WALK_STEPS", "60"))
STOPPED = outcome(Code.KILLED_BY_SERVER)


@dataclass
class Walk:
    """One walk: what the pilots hold, what they held once, and what was done so far."""

    world: World
    chance: random.Random
    held: list[JobSpec] = field(default_factory=list)
    past: list[tuple[JobSpec, Outcome | None]] = field(default_factory=list)
    claims: list[tuple[UUID, int]] = field(default_factory=list)
    datasets: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    n_files: int = 0
    trail: list[str] = field(default_factory=list)

    def take(self) -> JobSpec | None:
        """Removes one job from the hands of the pilots."""
        return self.held.pop(self.chance.randrange(len(self.held))) if self.held else None

    async def submit(self) -> None:
        """A task of events, of files, or of another's output; some merge, some take several files a job."""
        name = f"t{len(self.names)}"
        document: dict[str, Any] = {"name": name, "retry": {"max_attempts": self.chance.randint(1, 3)}}
        parents = [other for other in self.names if await self._has_output(other)]
        kind = self.chance.choice(["events", "events", "files", "chain"])
        if kind == "chain" and parents:
            document |= FILES | {"inputs": {"in": {"task": self.chance.choice(parents), "output": "out"}}}
        elif kind == "files":
            document |= FILES | {"inputs": {"in": {"dataset": f"user.ada:in{len(self.datasets)}"}}}
            self.datasets.append(await add_dataset(self.world, self.chance.randint(1, 7), f"in{len(self.datasets)}", is_open=self.chance.random() < 0.7))
        if "split" in document:
            document["split"] = {"files_per_job": self.chance.randint(1, 3)}
        if self.chance.random() < 0.3:
            document["scouts"] = {"jobs": self.chance.randint(1, 3), "from_jobs": 1}
        if self.chance.random() < 0.5:
            percent, on_miss = self.chance.choice([40, 80, 100]), self.chance.choice(["finish", "fail", "exhaust"])
            document["goal"] = {"percent": percent, "on_miss": on_miss, "finish_early": self.chance.random() < 0.5}
        if self.chance.random() < 0.4:
            document |= {"merge": MERGE | ({"files_per_job": 2} if self.chance.random() < 0.5 else {}), "outputs": {"out": "o.txt", "log": "l.txt"}}
        await self.world.submit(**document)
        self.names.append(name)

    async def _has_output(self, name: str) -> bool:
        query = (
            "SELECT count(*) > 0 FROM task t JOIN task_dataset td USING (task_id) JOIN dataset d USING (dataset_id)"
            " WHERE t.name = $1 AND td.role = 'output' AND td.stream = 'out' AND d.removed_at IS NULL AND (d.is_open OR d.n_files > 0)"
        )
        return bool(await value(self.world, query, name))

    async def settle(self) -> None:
        """The engine comes to rest."""
        await self.world.settle()

    async def stage(self) -> None:
        """One stage takes one step."""
        step = self.chance.choice([aggregate, broker, command, define, generate, place])
        await step(self.world.pool, self.world.services)

    async def claim(self) -> None:
        """A pilot claims up to three jobs."""
        claim_id, n_jobs = uuid4(), self.chance.randint(1, 3)
        self.held += await self.world.claim(n_jobs, claim_id)
        self.claims.append((claim_id, n_jobs))

    async def claim_again(self) -> None:
        """A pilot whose answer was lost claims again: it gets what it holds and nothing else."""
        mine = [job for job in self.held if self.claims and UUID(job.claim_id) == self.claims[-1][0]]
        if mine:
            again = await self.world.claim(self.claims[-1][1], self.claims[-1][0])
            assert {job.job_id for job in mine} <= {job.job_id for job in again}
            self.held += [job for job in again if job.job_id not in {other.job_id for other in self.held}]

    async def beat(self) -> None:
        """A pilot says that a job lives, and obeys."""
        job = self.take()
        if job is None:
            return
        verdict = (await beat(self.world, job, self.chance.choice(["stage_in", "running", "stage_out"]))).verdict
        if verdict == "kill":
            assert (await self.world.report(job, STOPPED)).verdict == "accepted"
            self.past.append((job, STOPPED))
        else:
            assert verdict == "ok"
            self.held.append(job)

    async def report(self) -> None:
        """A job ends, one way or another; the answer may be lost, and then it is reported again."""
        job = self.take()
        if job is None:
            return
        ended = self.chance.choice([None, None, None, FAILED, HOPELESS])
        assert await self._report(job, ended) == "accepted"
        if self.chance.random() < 0.3:
            assert await self._report(job, ended) == "repeated"
        self.past.append((job, ended))

    async def _report(self, job: JobSpec, ended: Outcome | None) -> str:
        return (await (self.world.report(job, ended) if ended else self.world.report(job))).verdict

    async def late_report(self) -> None:
        """A pilot reports a job again that ended long ago, now with another outcome, which must change nothing."""
        if self.past:
            job, ended = self.chance.choice(self.past)
            other = None if ended else FAILED
            assert await self._report(job, other) == "refused"

    async def lose(self) -> None:
        """A lease runs out, and then its pilot reports success after all."""
        job = self.take()
        if job is not None:
            await lose(self.world, job.job_id)
            assert (await beat(self.world, job)).verdict == "gone"
            assert await self._report(job, None) == "refused"

    async def kill_job(self) -> None:
        """A user kills some job, hot or not."""
        job_id = await value(self.world, "SELECT job_id FROM job_spec ORDER BY md5(job_id || $1::text) LIMIT 1", str(self.chance.random()))
        if job_id is not None:
            await ask(self.world, "kill", job_id=job_id)

    async def kill_task(self) -> None:
        """A user kills some task."""
        await self._command("kill")

    async def retry_task(self) -> None:
        """A user retries some task, which may be refused."""
        await self._command("retry")

    async def finish_task(self) -> None:
        """A user ends some task with what is there, waiting for what runs or not."""
        await self._command("finish", soft=self.chance.random() < 0.5)

    async def avalanche(self) -> None:
        """An operator ends the scouting of some task, which may be refused."""
        await self._command("avalanche")

    async def _command(self, verb: str, **arguments: Any) -> None:
        tasks = [row["task_id"] for row in await rows(self.world, "SELECT task_id FROM task ORDER BY task_id")]
        if tasks:
            with suppress(Conflict):  # another command of the task is pending
                await ask(self.world, verb, task_id=self.chance.choice(tasks), **arguments)

    async def grow(self) -> None:
        """An open input grows, or is closed."""
        if self.datasets:
            dataset_id = self.chance.choice(self.datasets)
            if await value(self.world, "SELECT is_open FROM dataset WHERE dataset_id = $1", dataset_id):
                self.n_files += 10
                await (
                    add_files(self.world, dataset_id, self.chance.randint(1, 4), 100 + self.n_files) if self.chance.random() < 0.7 else self._close(dataset_id)
                )

    async def _close(self, dataset_id: int) -> None:
        await close_dataset(self.world, dataset_id)

    async def step(self) -> None:
        """One random step, and then the books are checked."""
        choices: list[tuple[Callable[[], Awaitable[None]], int]] = [
            (self.submit, 2), (self.settle, 6), (self.stage, 8), (self.claim, 8), (self.claim_again, 2), (self.beat, 3), (self.report, 12),
            (self.late_report, 2), (self.lose, 3), (self.kill_job, 1), (self.kill_task, 1), (self.retry_task, 2), (self.grow, 2),
            (self.finish_task, 1), (self.avalanche, 1),
        ]  # fmt: skip
        (chosen,) = self.chance.choices([choice for choice, _ in choices], [weight for _, weight in choices])
        self.trail.append(getattr(chosen, "__name__", "?"))
        await chosen()
        await invariants.check(self.world)

    async def to_the_end(self) -> None:
        """Everything is closed and run; then every task has ended."""
        self.trail.append("to the end")
        for dataset_id in self.datasets:
            await self._close(dataset_id)
        await self.world.settle()
        await lose(self.world)
        await self.world.run_all()
        while exhausted := await rows(self.world, "SELECT task_id FROM task WHERE status = 'exhausted' ORDER BY task_id LIMIT 1"):
            await ask(self.world, "finish", task_id=exhausted[0]["task_id"])
            await self.world.run_all()
        await invariants.check(self.world)
        left = await rows(self.world, "SELECT task_id, status, reason FROM task WHERE ended_at IS NULL")
        assert not left, f"tasks that never end: {left}"
        assert await value(self.world, "SELECT count(*) FROM job") == 0


@pytest.mark.parametrize("seed", range(WALKS))
async def test_all_books_agree_after_every_step_of_a_random_walk(world: World, seed: int) -> None:
    walk = Walk(world, random.Random(seed))
    await walk.submit()
    try:
        for _ in range(STEPS):
            await walk.step()
        await walk.to_the_end()
    except AssertionError as error:
        raise AssertionError(f"seed {seed} after {' '.join(walk.trail)}: {error}") from error
