"""Copies of jobs in several queues: one counts, whichever way the others end, and all of them together are one attempt."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import uuid4

import pytest

from pandawms.api import views
from pandawms.domain.codes import Code
from pandawms.domain.outcome import SUCCESS, Outcome, outcome
from pandawms.engine.broker.step import step as broker
from pandawms.engine.define.step import step as define
from pandawms.engine.dispatch.plan import Claim
from pandawms.engine.explain import read as explaining
from pandawms.engine.generate.step import step as generate
from pandawms.engine.report.gather import Reporter
from pandawms.store import clones, jobs, retry_rules
from pandawms.store import database as db
from pandawms.wire.job import JobCopies
from pandawms.wire.pilot.claim import ClaimRequest, JobSpec
from pandawms.wire.pilot.heartbeat import JobBeat, Phase
from pandawms.wire.why import Cause
from tests.conftest import Database
from tests.engine import invariants
from tests.engine.play import (
    FAILED,
    FILES,
    MERGE,
    add_dataset,
    add_files,
    add_queue,
    ask,
    close_dataset,
    ended,
    hot,
    lose,
    outputs,
    rows,
    told,
    unit_statuses,
    value,
    watch,
)
from tests.world import World, report_of

KILLED = outcome(Code.KILLED_BY_SERVER, "told to stop")
SLOW = """
CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_sleep(random() * 0.002);
    RETURN NULL;
END $$;
"""
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


@pytest.fixture
async def two(world: World) -> Two:
    """The world's own queue and another one."""
    return Two(world, Place(world, world.queue_id, "local"), Place(world, await add_queue(world), "second"))


async def test_a_job_has_copies_in_different_queues_that_read_the_same_and_write_different_names(two: Two) -> None:
    task_id, one, other = await two.started("run_once")
    assert (one.gate, other.gate) == ("run", "run")
    assert (one.traits, one.attempt, one.command) == (other.traits, other.attempt, other.command)
    assert {one.outputs[0].name, other.outputs[0].name} == {"t.out.000001.1.txt", "t.out.000001.1c2.txt"}
    assert await two.attempts(task_id) == [("running", 1, 0)]


async def test_where_one_queue_can_take_a_job_it_has_no_copies(world: World) -> None:
    task_id = await world.submit(cloning={"mode": "run_once"}, **ONE)
    (job,) = await world.run_all()
    assert job.gate is None
    assert await world.status(task_id) == "done"
    await invariants.check(world)


async def test_of_copies_that_run_once_the_first_that_starts_wins_and_the_other_is_told_to_stop(two: Two) -> None:
    task_id, one, other = await two.started("run_once")
    assert await two.there.asks(other, "stage_in") == "ok"
    assert await two.there.asks(other, "running") == "ok"
    assert await two.there.asks(other, "running") == "ok", "the gate may be asked again"
    assert await two.here.asks(one, "running") == "kill"
    assert await value(two.world, "SELECT status FROM job WHERE job_id = $1", one.job_id) == "starting", "what lost never ran"
    assert await two.here.says(one, KILLED) == ("repeated", "closed")
    assert await two.attempts(task_id) == [("running", 1, 0)]
    assert await two.there.says(other) == ("accepted", "finished")
    await two.world.settle()
    assert await two.attempts(task_id) == [("finished", 1, 0)]
    assert await two.world.status(task_id) == "done"
    assert await value(two.world, "SELECT error_code FROM job_archive WHERE job_id = $1", one.job_id) == Code.ANOTHER_COPY_WON.number


async def test_copies_that_wait_are_closed_when_another_wins(two: Two) -> None:
    task_id = await two.submit("run_once", **ONE)
    one = await two.here.take()
    assert await two.here.asks(one, "running") == "ok"
    await two.world.settle()
    assert await two.there.claim() == ()
    assert await ended(two.world, task_id) == {"closed": 1}
    assert await two.attempts(task_id) == [("running", 1, 0)]
    await two.here.says(one)
    await two.world.settle()
    assert await two.world.status(task_id) == "done"


async def test_of_copies_that_store_once_all_run_until_one_has_stored(two: Two) -> None:
    task_id, one, other = await two.started("store_once")
    assert one.gate == "store"
    assert (await two.here.asks(one, "running"), await two.there.asks(other, "running")) == ("ok", "ok")
    assert await two.there.asks(other, "stage_out") == "ok"
    await two.world.settle()
    assert await two.here.asks(one, "running") == "ok", "the other has not stored yet"
    assert await two.there.says(other) == ("accepted", "finished")
    await two.world.settle()
    assert await two.here.asks(one, "running") == "kill"
    assert await two.here.says(one, KILLED) == ("repeated", "closed")
    await two.world.settle()
    assert await two.attempts(task_id) == [("finished", 1, 0)]
    assert await two.world.status(task_id) == "done"


@pytest.mark.parametrize("how", ["avoided", "offline"])
async def test_no_copy_goes_to_a_queue_that_is_shut_or_avoided_since_the_broker_looked(two: Two, how: str) -> None:
    world = two.world
    task_id = await world.submit(cloning={"mode": "run_once"}, **ONE)
    await define(world.pool, world.services)
    await broker(world.pool, world.services)
    chosen = await value(world, "SELECT queue_id FROM allocation WHERE task_id = $1 LIMIT 1", task_id)
    (other,) = {two.here.queue_id, two.there.queue_id} - {chosen}
    if how == "avoided":
        async with world.pool.acquire() as connection, connection.transaction():
            await retry_rules.avoid(connection, task_id, {other: (3600.0, "its disks are full")})
    else:
        await rows(world, "UPDATE queue SET status = 'offline' WHERE queue_id = $1", other)
    await generate(world.pool, world.services)
    assert [queue_id for (queue_id,) in await rows(world, "SELECT queue_id FROM job WHERE task_id = $1", task_id)] == [chosen]


async def test_a_copy_that_comes_second_to_the_store_is_told_to_stop(two: Two) -> None:
    task_id, one, other = await two.started("store_once")
    assert await two.here.asks(one, "stage_out") == "ok"
    assert await two.there.asks(other, "stage_out") == "kill"
    assert await two.there.says(other, KILLED) == ("repeated", "closed")
    assert await two.here.says(one) == ("accepted", "finished")
    assert await two.attempts(task_id) == [("finished", 1, 0)]


@pytest.mark.parametrize("mode", ["run_once", "store_once"])
async def test_success_of_a_copy_that_lost_is_refused_and_its_outputs_are_not_kept(two: Two, mode: str) -> None:
    """Pilots of earlier releases do not ask at the gate: the report is the gate."""
    task_id, one, other = await two.started(mode)
    assert await two.here.says(one) == ("accepted", "finished")
    assert await two.there.says(other) == ("refused", "closed")
    assert await two.there.says(other) == ("refused", "closed"), "and again"
    assert await two.here.says(one) == ("repeated", "finished")
    assert await outputs(two.world, task_id) == [one.outputs[0].name]
    assert await two.attempts(task_id) == [("finished", 1, 0)]


@pytest.mark.parametrize("mode", ["run_once", "store_once"])
async def test_two_successes_in_one_call_count_once(two: Two, mode: str) -> None:
    task_id, one, other = await two.started(mode)
    found = await asyncio.gather(two.there.says(other), two.here.says(one), two.here.says(one))
    assert sorted({verdict for verdict, _ in found})[0] == "accepted"
    assert "refused" in {verdict for verdict, _ in found}
    assert len(await outputs(two.world, task_id)) == 1
    assert await two.attempts(task_id) == [("finished", 1, 0)]


@pytest.mark.parametrize("mode", ["run_once", "store_once"])
async def test_copies_that_all_fail_are_one_attempt(two: Two, mode: str) -> None:
    task_id, one, other = await two.started(mode, retry={"max_attempts": 2})
    assert await two.here.says(one, FAILED) == ("accepted", "failed")
    assert await two.attempts(task_id) == [("running", 1, 0)], "the other copy lives"
    assert await two.there.says(other, FAILED) == ("accepted", "failed")
    assert await two.there.says(other, FAILED) == ("repeated", "failed")
    await two.world.settle()
    assert await two.attempts(task_id) == [("running", 2, 1)]
    assert await hot(two.world, task_id) == {"activated": 2}, "the next attempt has copies, too"
    for place in (two.here, two.there):
        await place.says(await place.take(), FAILED)
    await two.world.settle()
    assert await two.attempts(task_id) == [("failed", 2, 2)]
    assert await two.world.status(task_id) == "failed"


async def test_a_winner_that_is_lost_costs_one_attempt_where_the_payload_runs_once(two: Two) -> None:
    task_id, one, other = await two.started("run_once")
    assert await two.here.asks(one, "running") == "ok"
    assert await two.there.asks(other, "running") == "kill"
    await lose(two.world, one.job_id)
    assert await two.attempts(task_id) == [("failed", 1, 1)]
    assert await two.there.says(other) == ("refused", "closed"), "what lost stays lost"
    await two.world.settle()
    assert await two.attempts(task_id) == [("running", 2, 1)]
    assert await two.here.says(one) == ("refused", "failed")


async def test_when_the_winner_cannot_store_a_copy_that_still_runs_does(two: Two) -> None:
    task_id, one, other = await two.started("store_once")
    assert await two.there.asks(other, "running") == "ok"
    assert await two.here.asks(one, "stage_out") == "ok"
    assert await two.here.says(one, outcome(Code.STAGE_OUT_FAILED, "no")) == ("accepted", "failed")
    await two.world.settle()
    assert await two.attempts(task_id) == [("running", 1, 0)]
    assert await two.there.asks(other, "stage_out") == "ok"
    assert await two.there.says(other) == ("accepted", "finished")
    await two.world.settle()
    assert await two.attempts(task_id) == [("finished", 1, 0)]
    assert await two.world.status(task_id) == "done"


async def test_a_winner_whose_lease_runs_out_gives_way_to_a_copy_that_still_runs(two: Two) -> None:
    task_id, one, other = await two.started("store_once")
    assert await two.here.asks(one, "stage_out") == "ok"
    await lose(two.world, one.job_id)
    assert await two.here.says(one) == ("refused", "failed")
    assert await two.there.says(other) == ("accepted", "finished")
    assert await outputs(two.world, task_id) == [other.outputs[0].name]
    assert await two.attempts(task_id) == [("finished", 1, 0)]


async def test_a_copy_that_was_turned_away_is_not_waited_for_when_the_winner_fails(two: Two) -> None:
    task_id, one, other = await two.started("store_once")
    assert await two.here.asks(one, "stage_out") == "ok"
    assert await two.there.asks(other, "stage_out") == "kill"
    assert await two.here.says(one, FAILED) == ("accepted", "failed")
    assert await two.attempts(task_id) == [("failed", 1, 1)]
    await two.world.settle()
    assert await two.there.says(other, KILLED) == ("repeated", "closed")
    assert await two.there.says(other, KILLED) == ("repeated", "closed")
    assert await two.attempts(task_id) == [("running", 2, 1)]


async def test_a_copy_whose_lease_runs_out_leaves_the_others_alone(two: Two) -> None:
    task_id, one, other = await two.started("run_once")
    await lose(two.world, one.job_id)
    assert await two.attempts(task_id) == [("running", 1, 0)]
    assert await two.there.asks(other, "running") == "ok"
    assert await two.there.says(other) == ("accepted", "finished")
    assert await two.attempts(task_id) == [("finished", 1, 0)]


async def test_killing_one_copy_leaves_its_inputs_to_the_other(two: Two) -> None:
    task_id, one, other = await two.started("run_once")
    await ask(two.world, "kill", job_id=one.job_id)
    await two.world.settle()
    assert await two.here.asks(one, "running") == "kill", "a copy that is to be killed cannot win"
    assert (await two.here.says(one, KILLED))[0] == "accepted"
    assert await two.attempts(task_id) == [("running", 1, 0)]
    assert await two.there.asks(other, "running") == "ok"
    await two.there.says(other)
    await two.world.settle()
    assert await two.world.status(task_id) == "done"


@pytest.mark.parametrize("mode", ["run_once", "store_once"])
async def test_a_task_that_is_killed_ends_with_all_copies(two: Two, mode: str) -> None:
    task_id = await two.submit(mode, inputs={"events": {"count": 6}})
    one, other = await two.here.take_first(), await two.there.take_first()
    await two.here.asks(one, "running")
    await told(two.world, "kill", task_id)
    await invariants.check(two.world)
    for place, job in ((two.here, one), (two.there, other)):
        assert await place.asks(job, "stage_out") == "kill"
        assert (await place.says(job, KILLED))[0] in ("accepted", "repeated")
    await two.world.settle()
    assert await two.world.status(task_id) == "aborted"
    assert {(status, n_attempts) for status, n_attempts, _ in await two.attempts(task_id)} <= {("cancelled", 1), ("failed", 1)}


async def test_a_paused_task_keeps_its_copies_and_goes_on(two: Two) -> None:
    task_id = await two.submit("run_once", inputs={"events": {"count": 4}})
    one = await two.here.take_first()
    await told(two.world, "pause", task_id)
    assert await two.there.claim(5) == ()
    assert await two.here.asks(one, "running") == "ok"
    await two.world.settle()
    await invariants.check(two.world)
    await told(two.world, "resume", task_id)
    await two.here.says(one)
    await run_both(two)
    assert await two.world.status(task_id) == "done"
    assert await two.attempts(task_id) == [("finished", 1, 0)] * 2


async def test_a_task_told_to_finish_ends_with_the_copies_that_run(two: Two) -> None:
    task_id = await two.submit("store_once", inputs={"events": {"count": 4}})
    one = await two.here.take_first()
    await two.here.asks(one, "running")
    await told(two.world, "finish", task_id, soft=True)
    assert await two.there.claim(5) == ()
    assert await two.here.says(one) == ("accepted", "finished")
    await two.world.settle()
    assert await two.world.status(task_id) == "finished"
    await invariants.check(two.world)


async def test_what_winners_wrote_is_merged_once(two: Two) -> None:
    task_id = await two.submit("store_once", inputs={"events": {"count": 6}}, merge=MERGE)
    await run_both(two)
    assert await two.world.status(task_id) == "done"
    assert await two.attempts(task_id) == [("finished", 1, 0)] * 3
    assert len(await outputs(two.world, task_id, "whole")) >= 1


async def test_scouts_have_no_copies_and_the_jobs_after_them_do(two: Two) -> None:
    task_id = await two.submit("run_once", inputs={"events": {"count": 12}}, scouts={"jobs": 2, "from_jobs": 3})
    assert await two.world.status(task_id) == "scouting"
    assert sum((await hot(two.world, task_id)).values()) == 2
    await run_both(two)
    assert await two.world.status(task_id) == "done"
    assert await value(two.world, "SELECT count(*) FROM clone_group WHERE task_id = $1", task_id) == 4
    assert await two.attempts(task_id) == [("finished", 1, 0)] * 6


async def test_a_limit_of_jobs_counts_copies_once(two: Two) -> None:
    dataset_id = await add_dataset(two.world, 2, is_open=True)
    task_id = await two.submit("run_once", **(FILES | {"split": {"files_per_job": 1, "max_jobs": 4}}))
    assert sum((await hot(two.world, task_id)).values()) == 4, "two jobs"
    await add_files(two.world, dataset_id, 6, first=2)
    await close_dataset(two.world, dataset_id)
    await two.world.settle()
    await run_both(two)
    assert await two.world.status(task_id) == "done"
    done = [unit for unit in await two.attempts(task_id) if unit[0] != "removed"]
    assert done == [("finished", 1, 0)] * 4


async def test_copies_that_no_pilot_takes_are_brokered_anew_when_they_expire(two: Two) -> None:
    task_id = await two.submit("run_once", **ONE)
    await rows(two.world, "UPDATE job_event SET at = at - interval '3 days' WHERE task_id = $1", task_id)
    await watch(two.world)
    await two.world.settle()
    assert await two.attempts(task_id) == [("running", 2, 0)]


async def told_of_copies(two: Two, job_id: int) -> tuple[Cause, JobCopies]:
    """What `why` and the API say about the copies of a job."""
    async with two.world.pool.acquire() as connection:
        found = await jobs.get(connection, job_id)
        assert found is not None
        why = await explaining.job(connection, found)
        shown = views.job_copies(await clones.of_job(connection, job_id))
    (cause,) = [cause for cause in why.causes if cause.code == "job.copies"]
    assert shown is not None
    return cause, shown


async def test_copies_that_all_failed_are_told_without_a_winner(two: Two) -> None:
    _, one, other = await two.started("run_once", retry={"max_attempts": 1})
    assert (await told_of_copies(two, one.job_id))[1].winner_job_id is None
    for place, job in ((two.here, one), (two.there, other)):
        await place.says(job, FAILED)
    for job in (one, other):
        cause, shown = await told_of_copies(two, job.job_id)
        assert (shown.state, shown.winner_job_id, cause.value) == ("over", None, None)
        assert cause.text.startswith("it is one of 2 copies, which have ended without one that won")


async def test_a_copy_that_succeeds_without_a_gate_is_told_as_the_winner(two: Two) -> None:
    _, one, other = await two.started("store_once")
    await two.there.says(other)
    cause, shown = await told_of_copies(two, one.job_id)
    assert (shown.state, shown.winner_job_id, cause.value) == ("over", other.job_id, other.job_id)


async def test_why_and_show_tell_of_all_copies_and_which_one_has_won(two: Two) -> None:
    _, one, other = await two.started("run_once")
    assert await two.here.asks(one, "running") == "ok"
    for job, text in ((one, "it has won over its other copies"), (other, f"job {one.job_id}, another copy of it, has won")):
        cause, shown = await told_of_copies(two, job.job_id)
        assert cause.text.startswith(text)
        assert (shown.mode, shown.state, shown.winner_job_id) == ("run_once", "won", one.job_id)
        assert {(copy.job_id, copy.queue, copy.leads) for copy in shown.copies} == {(one.job_id, "local", True), (other.job_id, "second", False)}


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


@pytest.fixture
async def servers(world: World, database: Database) -> AsyncIterator[list[Reporter]]:
    """Two more servers, each with connections of its own."""
    async with db.open_pool(db.Options(database.url, max_connections=4), "one") as one, db.open_pool(db.Options(database.url, max_connections=4), "two") as two:
        yield [Reporter(pool, world.services) for pool in (one, two)]


@pytest.mark.parametrize(("mode", "phase"), [("run_once", "running"), ("store_once", "stage_out")])
async def test_one_copy_of_each_wins_when_all_ask_at_the_same_moment_at_two_servers(two: Two, servers: list[Reporter], mode: str, phase: Phase) -> None:
    n = 40
    task_id = await two.submit(mode, inputs={"events": {"count": 2 * n}})
    asked = [(place, job) for place in (two.here, two.there) for chunk in range(n // 10) for job in await place.claim(10)]
    random.Random(7).shuffle(asked)
    turn = count()
    verdicts = await asyncio.gather(*(place.asks(job, phase, servers[next(turn) % 2]) for place, job in asked * 2))
    winners = {job.job_id for (_, job), verdict in zip(asked * 2, verdicts, strict=True) if verdict == "ok"}
    losers = {job.job_id for (_, job), verdict in zip(asked * 2, verdicts, strict=True) if verdict == "kill"}
    assert winners | losers == {job.job_id for _, job in asked}
    assert not winners & losers
    assert len(winners) == n
    assert {row["lead_job_id"] for row in await rows(two.world, "SELECT lead_job_id FROM clone_group")} == winners
    await invariants.check(two.world)
    ends = [place.says(job, SUCCESS if job.job_id in winners else KILLED) for place, job in asked]
    assert sorted(await asyncio.gather(*ends)) == [("accepted", "finished")] * n + [("repeated", "closed")] * n
    await two.world.settle()
    assert await two.attempts(task_id) == [("finished", 1, 0)] * n
    assert await two.world.status(task_id) == "done"


@pytest.mark.parametrize("mode", ["run_once", "store_once"])
async def test_all_who_meet_on_copies_wait_in_one_direction_only(two: Two, servers: list[Reporter], database: Database, mode: str) -> None:
    """Gates, reports in any order, lost leases, a kill and the engine meet on the same groups, with waits between their statements."""
    chance = random.Random(5)
    await rows(two.world, SLOW)
    for table in ("job", "clone_group", "task_file", "task_dataset"):
        await rows(two.world, f"CREATE TRIGGER dawdle AFTER UPDATE OR DELETE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION dawdle()")
    task_id = await two.submit(mode, inputs={"events": {"count": 48}}, retry={"max_attempts": 5})
    asked = [(place, job) for place in (two.here, two.there) for _ in range(3) for job in await place.claim(8)]

    async def pilot(number: int) -> None:
        mine = chance.sample(asked, 24)
        for part in (mine[:8], mine[8:16], mine[16:]):
            for phase in ("running", "stage_out"):
                await asyncio.gather(*(place.asks(job, phase, servers[number]) for place, job in part))
            reports = {place.queue_id: [report_of(job, chance.choice((SUCCESS, FAILED))) for at, job in part if at is place] for place, _ in part}
            for queue_id, each in reports.items():
                await servers[number].report(queue_id, each)

    async def engine() -> None:
        await lose(two.world, *(job.job_id for _, job in asked[::5]))
        await ask(two.world, "kill", task_id=task_id)
        await two.world.settle()

    await asyncio.gather(pilot(0), pilot(1), engine())
    await asyncio.gather(*(server.pool.close() for server in servers))
    await lose(two.world)
    await two.world.settle()
    assert await two.world.status(task_id) == "aborted"
    assert await value(two.world, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
    await invariants.check(two.world)


@pytest.mark.parametrize("mode", ["run_once", "store_once"])
async def test_whatever_pilots_do_with_copies_every_unit_is_done_once_and_the_books_agree(two: Two, mode: str) -> None:
    chance = random.Random(11)
    task_id = await two.submit(mode, inputs={"events": {"count": 6}}, retry={"max_attempts": 30})
    held: list[tuple[Place, JobSpec]] = []
    for turn in count():
        if await two.world.status(task_id) == "done":
            break
        held += [(place, job) for place in (two.here, two.there) for job in await place.claim(3)]
        if not held:
            await two.world.settle()
        for place, job in chance.sample(held, min(4, len(held))):
            await one_move(chance, two, place, job, held)
        if turn % 4 == 0:
            await invariants.check(two.world)
        await two.world.settle()
    await invariants.check(two.world)
    assert await unit_statuses(two.world, task_id) == {"finished": 3}
    assert len(await outputs(two.world, task_id)) == 3


async def one_move(chance: random.Random, two: Two, place: Place, job: JobSpec, held: list[tuple[Place, JobSpec]]) -> None:
    """A pilot does one of the things that pilots do."""
    lot = chance.random()
    if lot < 0.5:
        if await place.asks(job, chance.choice(("stage_in", "running", "stage_out"))) != "ok":
            held.remove((place, job))
            if lot < 0.4:
                await place.says(job, KILLED)
            else:
                await lose(two.world, job.job_id)
        return
    held.remove((place, job))
    if lot < 0.6:
        await lose(two.world, job.job_id)
    else:
        await place.says(job, SUCCESS if lot < 0.8 else FAILED)
