"""Pilots of two queues, for tests of jobs that have copies in both."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from pandawms.domain.codes import Code
from pandawms.domain.outcome import SUCCESS, Outcome, outcome
from pandawms.engine.dispatch.plan import Claim
from pandawms.engine.report.gather import Reporter
from pandawms.wire.pilot.claim import ClaimRequest, JobSpec
from pandawms.wire.pilot.heartbeat import JobBeat, Phase
from tests.engine import invariants
from tests.engine.play import rows
from tests.world import World, report_of

KILLED = outcome(Code.KILLED_BY_SERVER, "told to stop")
"""What a pilot that was told to stop reports."""
ONE: dict[str, Any] = {"inputs": {"events": {"count": 2}}, "split": {"events_per_job": 2}}


@dataclass(frozen=True)
class Place:
    """A queue, and what its pilots say."""

    world: World
    queue_id: int
    name: str

    async def claim(self, n_jobs: int = 1) -> tuple[JobSpec, ...]:
        """Claims as a pilot here."""
        slot: dict[str, Any] = {"cores": 1, "memory_mb": 4000, "disk_mb": 10_000, "architecture": "x86_64"}
        request = ClaimRequest(1, "test", uuid4().hex, self.name, "node", n_jobs=n_jobs, **slot)
        return await self.world.dispatcher.claim(Claim(self.queue_id, request))

    async def take(self) -> JobSpec:
        """The one job that is ready here."""
        (job,) = await self.claim(5)
        return job

    async def take_first(self) -> JobSpec:
        """The first of the jobs that are ready here."""
        (job,) = await self.claim()
        return job

    async def asks(self, job: JobSpec, phase: Phase, reporter: Reporter | None = None) -> str:
        """A heartbeat of a job; what its pilot is told."""
        (verdict,) = await (reporter or self.world.reporter).heartbeat(self.queue_id, [JobBeat(job.job_id, job.claim_id, job.attempt, phase)])
        return verdict.verdict

    async def says(self, job: JobSpec, result: Outcome = SUCCESS) -> tuple[str, str]:
        """The report of a job; the verdict on it and where the job is then."""
        (verdict,) = await self.world.reporter.report(self.queue_id, [report_of(job, result)])
        return verdict.verdict, verdict.status


@dataclass(frozen=True)
class Two:
    """Two queues that share the world's storage."""

    world: World
    here: Place
    there: Place

    async def started(self, mode: str, **document: Any) -> tuple[int, JobSpec, JobSpec]:
        """A task with one job in two copies, one with a pilot in each queue."""
        task_id = await self.submit(mode, **(ONE | document))
        return task_id, await self.here.take(), await self.there.take()

    async def submit(self, mode: str, **document: Any) -> int:
        """A task whose jobs have copies, which are ready."""
        task_id = await self.world.submit(cloning={"mode": mode}, **document)
        await self.world.settle()
        return task_id

    async def attempts(self, task_id: int) -> list[tuple[str, int, int]]:
        """The units of a task: status, attempts, failures."""
        await invariants.check(self.world)
        found = await rows(self.world, "SELECT status, attempt, failed_attempts FROM task_file WHERE task_id = $1 ORDER BY number", task_id)
        return [tuple(row) for row in found]


async def run_both(two: Two) -> None:
    """Pilots of both queues work, and ask at every gate, until nothing is left."""
    await two.world.settle()
    while jobs := [(place, job) for place in (two.here, two.there) for job in await place.claim(2)]:
        for place, job in jobs:
            if all([await place.asks(job, phase) == "ok" for phase in ("running", "stage_out")]):
                assert (await place.says(job))[0] == "accepted"
            else:
                assert (await place.says(job, KILLED)) == ("repeated", "closed")
        await two.world.settle()
