"""Tasks with random splits, inputs that grow and jobs that fail run to a verdict, and all books agree then."""

import random
from typing import Any
from uuid import uuid4

import pytest

from pandawms.domain.errors import Invalid
from pandawms.store import catalogue
from pandawms.store.catalogue import NewFile
from tests.engine import invariants
from tests.engine.play import FAILED, add_dataset, close_dataset, rows, value
from tests.world import World

WALKS = 4
TASKS = 5
MB = 1 << 20
VERDICTS = {"done", "finished", "failed", "broken"}


class Case:
    """A random task over a dataset of its own, and what happens to it."""

    def __init__(self, world: World, chance: random.Random, name: str) -> None:
        self.world, self.chance, self.name = world, chance, name
        self.n_files = 0
        self.datasets: list[int] = []

    async def submit(self) -> int | None:
        """Submits the task over two datasets that are still open; None when its document contradicts itself."""
        self.datasets = [await add_dataset(self.world, 0, f"{self.name}.{stream}", is_open=True) for stream in ("in", "extra")]
        await self.grow()
        inputs: dict[str, Any] = {"in": {"dataset": f"user.ada:{self.name}.in", "may_be_empty": True}}
        if self.chance.random() < 0.5:
            how: dict[str, Any] = self.chance.choice(
                [{"whole": True}, {"per_job": 2}, {"ratio": 0.7}, {"per_job": 3, "reuse": True}, {"ratio": 2, "reuse": True}]
            )
            inputs["extra"] = {"dataset": f"user.ada:{self.name}.extra", "may_be_empty": True, **how}
        try:
            return await self.world.submit(
                name=self.name, inputs=inputs, program={"command": "mix %IN > %OUT"}, split=self.split(), resources=self.resources(),
                retry={"max_attempts": 3}, scouts={"jobs": self.chance.choice([0, 2]), "from_jobs": 4},
            )  # fmt: skip
        except Invalid:
            return None

    def split(self) -> dict[str, Any]:
        """A few random options."""
        options = {
            "files_per_job": self.chance.randint(1, 5), "events_per_job": self.chance.randint(1, 60), "max_files_per_job": self.chance.randint(2, 6),
            "mb_per_job": self.chance.randint(20, 80), "n_jobs": self.chance.randint(1, 9), "max_jobs": self.chance.randint(1, 9),
            "output_mb_per_job": self.chance.randint(1, 30), "wall_seconds_per_job": self.chance.randint(50, 600),
            "boundary": {"name_field": 1, "one_job_per_group": self.chance.random() < 0.5},
        }  # fmt: skip
        return {name: options[name] for name in self.chance.sample(sorted(options), self.chance.randint(0, 3))}

    def resources(self) -> dict[str, Any]:
        """A few random rates."""
        rates = {"wall_seconds_per_event": 3.0, "wall_seconds_per_mb": 5.0, "output_mb_per_event": 0.2, "output_mb_per_input_mb": 0.5, "work_mb": 7}
        return {"disk_mb": 100} | {name: rates[name] for name in self.chance.sample(sorted(rates), self.chance.randint(0, 3))}

    async def grow(self) -> None:
        """Some more files in both datasets."""
        async with self.world.pool.acquire() as connection, connection.transaction():
            for dataset_id in self.datasets:
                for _ in range(self.chance.randint(0, 6)):
                    self.n_files += 1
                    name = f"g{self.chance.randint(0, 2)}.{self.name}.{self.n_files}"
                    size, n_events = self.chance.choice([0, 1, 15, 30, 60, 130]) * MB, self.chance.randint(0, 80)
                    new = [NewFile(name, uuid4(), size, b"\0\0\0\1", n_events)]
                    await catalogue.add_files(connection, dataset_id, "user.ada", new, self.world.endpoint_id)


@pytest.mark.parametrize("seed", range(WALKS))
async def test_tasks_with_random_splits_run_to_a_verdict(world: World, seed: int) -> None:
    chance = random.Random(seed)
    await rows(world, "UPDATE queue SET disk_mb = 120, max_wall_seconds = 4000")
    cases = [Case(world, chance, f"t{n}") for n in range(TASKS)]
    submitted = [(case, task_id) for case in cases if (task_id := await case.submit()) is not None]
    for turn in range(200):
        if turn in (3, 9):
            for case, _ in submitted:
                await case.grow()
        if turn == 15:
            for case, _ in submitted:
                for dataset_id in case.datasets:
                    await close_dataset(world, dataset_id)
        await rows(world, "UPDATE task SET next_look_at = now() WHERE ended_at IS NULL")
        await world.settle()
        claimed = await world.claim(3, disk_mb=120)
        for job in claimed:
            await (world.report(job, FAILED) if chance.random() < 0.3 else world.report(job))
        if turn > 15 and not claimed and not await value(world, "SELECT count(*) FROM task WHERE ended_at IS NULL"):
            break
    for case, task_id in submitted:
        assert await world.status(task_id) in VERDICTS, (seed, case.name, await rows(world, "SELECT status, reason FROM task WHERE task_id = $1", task_id))
    largest = await rows(
        world,
        """SELECT jf.job_id, sum(f.size_bytes) AS size FROM job_file jf JOIN file f USING (file_id) JOIN job_spec s USING (job_id)
        WHERE jf.role = 'input' AND s.kind = 'run' GROUP BY 1 HAVING sum(f.size_bytes) > 120 * 1048576::bigint""",
    )
    assert not largest, "no job has more input than its queue has disk"
    await invariants.check(world)
