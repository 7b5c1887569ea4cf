"""Every unit is done exactly once, whatever happens between pilots, two servers and the database.

Pilots claim, beat and report at two servers over one database. Answers get lost, so calls are repeated, at the other server too and at the same time; reports
come twice, in another order, contradict each other, or come when the lease has run out and another attempt works. One server loses its connections in the
middle of its calls and is replaced. At the end every task is done, the audit finds nothing, and no job was given to two claims or ended by two reports.

`PANDA_TEST_STORM_UNITS` makes it longer (`make soak`).
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import TypeVar
from uuid import UUID, uuid4

import asyncpg
import pytest

from pandawms.domain.errors import PandaError
from pandawms.domain.outcome import SUCCESS
from pandawms.store.database import Options, open_pool
from pandawms.wire.pilot.claim import JobSpec
from pandawms.wire.pilot.heartbeat import JobBeat
from pandawms.wire.pilot.report import JobReport
from tests.conftest import Database
from tests.engine import invariants
from tests.engine.play import FAILED, MERGE, lose, rows, value
from tests.waiting import until
from tests.world import World, report_of

Answer = TypeVar("Answer")

UNITS = int(os.environ.get("PANDA_TEST_STORM_UNITS", "120"))
PILOTS = 8
AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, PandaError)
"""What a call to a server may end with when the server loses its database; the pilot cannot know whether it was done."""


@dataclass
class Storm:
    """The servers, and what the pilots saw: who was given each job, and which reports were accepted."""

    world: World
    url: str
    chance: random.Random
    stack: AsyncExitStack
    servers: list[World] = field(default_factory=list)
    given: dict[int, str] = field(default_factory=dict)
    accepted: dict[int, str] = field(default_factory=dict)
    late: list[JobReport] = field(default_factory=list)
    verdicts: dict[str, int] = field(default_factory=dict)
    n_lost_calls: int = 0

    async def start_server(self, place: int) -> None:
        """Starts a server at one of the two places; a server that is there already loses its connections first, in the middle of whatever it does."""
        if place < len(self.servers):
            old = self.servers[place].pool
            await rows(
                self.world,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND datname = current_database()",
                f"panda-{place}",
            )
            await asyncio.wait_for(old.close(), 10)
        pool = await self.stack.enter_async_context(open_pool(Options(self.url, max_connections=4), str(place)))
        self.servers[place:] = [replace(self.world, pool=pool), *self.servers[place + 1 :]]

    async def call(self, call: Callable[[World], Awaitable[Answer]]) -> Answer:
        """Makes a call at some server, and at times at both at once; repeats it until it is answered."""
        while True:
            asked = self.servers if self.chance.random() < 0.3 else [self.chance.choice(self.servers)]
            answers = await asyncio.gather(*(call(server) for server in asked), return_exceptions=True)
            unknown = [answer for answer in answers if isinstance(answer, BaseException) and not isinstance(answer, AWAY)]
            if unknown:
                raise unknown[0]
            known = [answer for answer in answers if not isinstance(answer, BaseException)]
            self.n_lost_calls += len(answers) - len(known)
            if known and self.chance.random() < 0.9:  # else the answer is lost
                return self.chance.choice(known)

    async def claim(self) -> list[JobSpec]:
        """Claims up to three jobs, repeating the same claim until an answer arrives; looks at all answers on the way."""
        claim_id, n_jobs, seen = uuid4(), self.chance.randint(1, 3), dict[int, JobSpec]()

        async def ask(server: World) -> tuple[JobSpec, ...]:
            found = await server.claim(n_jobs, claim_id)
            for job in found:
                assert self.given.setdefault(job.job_id, claim_id.hex) == job.claim_id == claim_id.hex, f"job {job.job_id} was given to two claims"
            seen.update({job.job_id: job for job in found})
            return found

        await self.call(ask)
        while self.chance.random() < 0.4:
            before = set(seen)
            again = await self.call(ask)
            assert before <= {job.job_id for job in again}, "a claim that was repeated did not get all that it had got"
        assert len(seen) <= n_jobs, "a claim that was repeated got more than it asked for"
        return list(seen.values())

    async def beat(self, job: JobSpec) -> None:
        """A heartbeat, which finds the job held."""

        async def ask(server: World) -> str:
            (verdict,) = await server.reporter.heartbeat(
                server.queue_id, [JobBeat(job.job_id, job.claim_id, job.attempt, self.chance.choice(("stage_in", "running")))]
            )
            return verdict.verdict

        assert await self.call(ask) == "ok"

    async def report(self, *reports: JobReport) -> list[str]:
        """Reports in one call; each may be accepted once in its life."""

        async def ask(server: World) -> list[str]:
            found = await server.reporter.report(server.queue_id, reports)
            for verdict in found:
                self.verdicts[verdict.verdict] = self.verdicts.get(verdict.verdict, 0) + 1
                if verdict.verdict == "accepted":
                    assert verdict.job_id not in self.accepted, f"two reports of job {verdict.job_id} were accepted"
                    self.accepted[verdict.job_id] = verdict.status
            return [verdict.verdict for verdict in found]

        return await self.call(ask)

    async def work(self, jobs: list[JobSpec]) -> None:
        """What one pilot does with the jobs of a claim; their reports come in any order, alone or together."""
        ending: list[JobReport] = []
        for job in jobs:
            lot = self.chance.random()
            if lot < 0.4:
                await self.beat(job)
            if 0.35 < lot < 0.45:
                await self.disappear(job)
            else:
                ending.append(report_of(job, FAILED if lot > 0.9 else SUCCESS))
        self.chance.shuffle(ending)
        if self.chance.random() < 0.5:
            await self.report_all(ending)
        else:
            await asyncio.gather(*(self.report_all([each]) for each in ending))

    async def report_all(self, ending: list[JobReport]) -> None:
        """Reports until answered; and later at times once more, or with another outcome, which changes nothing."""
        if not ending:
            return
        assert set(await self.report(*ending)) <= {"accepted", "repeated"}
        for each in ending:
            lot = self.chance.random()
            if lot < 0.2:
                assert await self.report(each) == ["repeated"]
            elif lot < 0.4:
                assert await self.report(replace(each, outcome=SUCCESS if each.outcome == FAILED else FAILED, outputs=())) == ["refused"]
            elif lot < 0.5:
                self.late.append(each)

    async def disappear(self, job: JobSpec) -> None:
        """The lease of a job runs out; its report comes when another attempt of its units has been made, or later."""

        async def is_lost() -> bool:
            await lose(self.world, job.job_id)
            return bool(await value(self.world, "SELECT status FROM job_archive WHERE job_id = $1", job.job_id) == "failed")

        await until(is_lost, f"job {job.job_id} is lost")
        await self.world.settle()
        if self.chance.random() < 0.5:
            assert await self.report(report_of(job)) == ["refused"]
        else:
            self.late.append(report_of(job))

    async def pilot(self) -> None:
        """Works until all tasks have ended; with nothing to claim it turns the wheels of an engine."""
        while not await self.is_over():
            jobs = await self.claim()
            await (self.work(jobs) if jobs else self.world.settle())

    async def is_over(self) -> bool:
        """Whether all tasks have ended."""
        return bool(await value(self.world, "SELECT bool_and(ended_at IS NOT NULL) FROM task"))

    async def break_a_server(self) -> None:
        """When a third of the work is done, the second server loses its database and another one takes its place; and at two thirds the first."""
        for place, share in ((1, 3), (0, 1.5)):
            while len(self.accepted) < UNITS / share and not await self.is_over():
                await self.world.settle()
            await self.start_server(place)


@pytest.fixture
async def storm(world: World, database: Database) -> AsyncIterator[Storm]:
    """Two servers and the engine's own pool over one database."""
    async with AsyncExitStack() as stack:
        found = Storm(world, database.url, random.Random(int(os.environ.get("PANDA_TEST_STORM_SEED", "7"))), stack)
        for place in (0, 1):
            await found.start_server(place)
        yield found


async def test_every_unit_is_done_exactly_once_whatever_happens_between_pilots_and_two_servers(storm: Storm) -> None:
    world, half = storm.world, UNITS // 2
    plain = await world.submit(name="plain", inputs={"events": {"count": UNITS}}, split={"events_per_job": 2}, retry={"max_attempts": 30})
    merged = await world.submit(
        name="merged", inputs={"events": {"count": half}}, split={"events_per_job": 1}, merge=MERGE | {"files_per_job": 5}, retry={"max_attempts": 30}
    )
    await world.settle()
    async with asyncio.timeout(60 + UNITS), asyncio.TaskGroup() as group:
        for work in (storm.break_a_server, *[storm.pilot] * PILOTS):
            group.create_task(work())
    storm.chance.shuffle(storm.late)
    for each in storm.late:
        assert await storm.report(each) in (["refused"], ["repeated"])
    await world.settle()
    await invariants.check(world)
    for task_id, events in ((plain, UNITS), (merged, half)):
        assert await world.status(task_id) == "done"
        assert (await world.progress(task_id)).n_events_finished == events
    await ends_agree(storm)
    assert storm.verdicts["refused"] > 0
    assert storm.verdicts["repeated"] > 0
    assert storm.n_lost_calls > 0, "the servers were broken in the middle of calls"


async def ends_agree(storm: Storm) -> None:
    """The archive has what the pilots were told: each job under the claim that it was given to, ended as the one accepted report said."""
    ended = {row["job_id"]: row for row in await rows(storm.world, "SELECT job_id, claim_id, status FROM job_archive WHERE claim_id IS NOT NULL")}
    assert {job_id: row["claim_id"] for job_id, row in ended.items()} == {job_id: UUID(claim_id) for job_id, claim_id in storm.given.items()}
    for job_id, status in storm.accepted.items():
        assert ended[job_id]["status"] == ("finished" if status == "merging" else status)
    finished = await value(
        storm.world, "SELECT count(*) FROM file f JOIN dataset d USING (dataset_id) WHERE NOT d.is_transient AND d.producer_task_id IS NOT NULL"
    )
    assert finished == await value(
        storm.world, "SELECT count(*) FROM job_file f JOIN job_archive a USING (job_id) JOIN task_dataset td USING (task_dataset_id)"
        " WHERE f.role = 'output' AND td.role = 'output' AND a.status = 'finished'",
    )  # fmt: skip
