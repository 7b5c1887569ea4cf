"""Calls that come together about one job: in one batch, they are answered as if they had come one after the other."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest

from pandawms.domain.errors import Denied
from pandawms.engine.dispatch.plan import Claim
from pandawms.wire.pilot.claim import ClaimRequest
from pandawms.wire.pilot.heartbeat import JobBeat
from tests.engine import invariants
from tests.engine.play import FAILED, MERGE, value
from tests.world import World, report_of


async def test_heartbeats_of_both_phases_move_a_job_forward_once(world: World) -> None:
    await world.submit(inputs={"events": {"count": 2}})
    await world.settle()
    (job,) = await world.claim()
    beats = [JobBeat(job.job_id, job.claim_id, job.attempt, phase) for phase in ("running", "stage_in", "running", "stage_in")]
    told = await world.reporter.heartbeat(world.queue_id, beats)
    assert [verdict.verdict for verdict in told] == ["ok"] * 4
    assert await value(world, "SELECT status FROM job") == "running"
    assert await value(world, "SELECT count(*) FROM job_event WHERE event IN ('start', 'run')") == 1
    await invariants.check(world)


@pytest.mark.parametrize("first", ["success", "failure"])
async def test_of_two_reports_that_contradict_each_other_the_first_counts_and_the_other_is_refused(world: World, first: str) -> None:
    await world.submit(inputs={"events": {"count": 2}})
    await world.settle()
    (job,) = await world.claim()
    success, failure = report_of(job), report_of(job, FAILED)
    given = [success, failure] if first == "success" else [failure, success]
    calls = [world.reporter.report(world.queue_id, [report]) for report in (*given, given[0])]
    one, other, again = [verdicts[0] for verdicts in await asyncio.gather(*calls)]
    assert (one.verdict, one.status) == ("accepted", "finished" if first == "success" else "failed")
    assert (other.verdict, again.verdict in ("accepted", "repeated")) == ("refused", True)
    await world.settle()
    await invariants.check(world)


async def test_a_foreign_queue_or_claim_is_told_nothing_beside_the_one_that_holds_the_job(world: World) -> None:
    await world.submit(inputs={"events": {"count": 2}})
    await world.settle()
    (job,) = await world.claim()
    beat, strange = JobBeat(job.job_id, job.claim_id, job.attempt, "running"), JobBeat(job.job_id, uuid4().hex, job.attempt, "running")
    mine, unknown, foreign = await asyncio.gather(
        world.reporter.heartbeat(world.queue_id, [beat]), world.reporter.heartbeat(world.queue_id, [strange]),
        world.reporter.heartbeat(world.queue_id + 1, [beat]), return_exceptions=True,
    )  # fmt: skip
    assert not isinstance(mine, BaseException) and not isinstance(unknown, BaseException)
    assert (mine[0].verdict, unknown[0].verdict) == ("ok", "gone")
    assert isinstance(foreign, Denied)
    told, denied = await asyncio.gather(
        world.reporter.report(world.queue_id, [report_of(job)]), world.reporter.report(world.queue_id + 1, [report_of(job)]), return_exceptions=True
    )
    assert not isinstance(told, BaseException)
    assert (told[0].verdict, isinstance(denied, Denied)) == ("accepted", True)


async def test_a_claim_of_another_queue_with_the_same_name_is_not_told_of_the_job(world: World) -> None:
    await world.submit(inputs={"events": {"count": 2}})
    await world.settle()
    claim_id = uuid4()
    (job,) = await world.claim(claim_id=claim_id)
    request = ClaimRequest(1, "test", claim_id.hex, "other", "node", memory_mb=4000, disk_mb=10_000, architecture="x86_64")
    assert await world.dispatcher.claim(Claim(world.queue_id + 1, request)) == ()
    assert [again.job_id for again in await world.claim(claim_id=claim_id)] == [job.job_id]


async def test_a_claim_that_comes_again_while_its_job_waits_for_a_merge_gets_another_job(world: World) -> None:
    await world.submit(merge=MERGE)
    await world.settle()
    claim_id = uuid4()
    (job,) = await world.claim(claim_id=claim_id)
    await world.report(job)
    (other,) = await world.claim(claim_id=claim_id)
    assert other.job_id != job.job_id
    await world.report(other)
    await world.run_all()
    await invariants.check(world)


@pytest.mark.parametrize("claim_id", ["0" * 32, "f" * 32])
async def test_a_strangers_report_beside_the_holders_changes_nothing_and_is_refused(world: World, claim_id: str) -> None:
    await world.submit(inputs={"events": {"count": 4}})
    await world.settle()
    first, job = await world.claim(2)
    strange = replace(report_of(job, FAILED), claim_id=claim_id)
    calls = [world.reporter.report(world.queue_id, [report]) for report in (report_of(first), strange, report_of(job))]
    verdicts = [told[0] for told in await asyncio.gather(*calls)]
    assert [verdict.verdict for verdict in verdicts] == ["accepted", "refused", "accepted"]
    assert await value(world, "SELECT count(*) FROM job_archive WHERE status = 'finished'") == 2
    await world.settle()
    await invariants.check(world)
