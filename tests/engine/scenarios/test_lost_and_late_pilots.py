"""Scenarios 12 to 14: pilots that are lost at each step, pilots that come too late, and calls that come twice or in the wrong order."""

from dataclasses import replace
from uuid import uuid4

import pytest

from pandawms.domain.codes import Code
from pandawms.domain.outcome import Outcome
from pandawms.domain.worker import WorkerStatus
from pandawms.store import workers
from pandawms.wire.pilot.claim import JobSpec
from pandawms.wire.pilot.heartbeat import Phase
from tests.engine.play import FAILED, beat, ended, expire, hot, lose, outputs, rows, value, watch
from tests.engine.scenarios.stories import farm
from tests.world import World

LOSSES = {
    "sent": Code.NO_FIRST_HEARTBEAT, "running": Code.LOST_HEARTBEAT, "stored": Code.NO_FINAL_REPORT, "worker": Code.WORKER_ENDED,
}  # fmt: skip
"""How a pilot is lost: before its first word, while the payload runs, when its report is lost, and with the worker that it runs in."""

SAID: dict[str, tuple[Phase, ...]] = {"sent": (), "running": ("stage_in", "running"), "stored": ("running", "stage_out")}
"""What the pilot had said before."""


async def lose_at(world: World, job: JobSpec, where: str) -> None:
    """Loses the pilot of a job at this step."""
    if where == "worker":
        await end_worker_of(world, job)
        await watch(world)
        return
    for phase in SAID[where]:
        assert (await beat(world, job, phase)).verdict == "ok"
    await lose(world, job.job_id)


async def end_worker_of(world: World, job: JobSpec) -> None:
    """Lets the provisioner say that the worker of a job, which runs, has ended."""
    await beat(world, job)
    async with world.pool.acquire() as connection, connection.transaction():
        worker_id = await workers.add(connection, world.queue_id, "local", "test")
        await connection.execute("UPDATE job SET worker_id = $2 WHERE job_id = $1", job.job_id, worker_id)
        assert await workers.change(connection, worker_id, {WorkerStatus.PENDING}, WorkerStatus.MISSED, "miss", "test")
        await connection.execute("UPDATE worker SET ended_at = now() - interval '3 s'")


async def test_each_loss_has_its_code_and_is_followed_by_a_job_with_its_lineage(world: World) -> None:
    """Scenario 12. Each costs an attempt and no failure; a job that was sent is not handed out again (docs/adr/0017)."""
    task_id = await world.submit(inputs={"events": {"count": 2}}, scouts={"jobs": 0}, retry={"max_attempts": 5, "max_failures": 1})
    await world.settle()
    lost: list[JobSpec] = []
    for where, code in LOSSES.items():
        (job,) = await world.claim()
        await lose_at(world, job, where)
        (row,) = await rows(world, "SELECT status, error_domain, error_code, is_retryable FROM job_archive WHERE job_id = $1", job.job_id)
        assert tuple(row) == ("failed", "dispatch", code.number, True), where
        assert ((await beat(world, job)).verdict, (await world.report(job)).verdict) == ("gone", "refused"), where
        await world.settle()
        lost.append(job)
    (last,) = await world.claim()
    jobs = [*lost, last]
    assert [job.attempt for job in jobs] == [1, 2, 3, 4, 5]
    lineage = {row["job_id"]: row["previous_job_id"] for row in await rows(world, "SELECT job_id, previous_job_id FROM job_spec")}
    assert [lineage[job.job_id] for job in jobs] == [None, *(job.job_id for job in lost)]
    assert (len({job.traits for job in jobs}), len({job.outputs[0].name for job in jobs})) == (1, 5), "the same events and seed, other names"
    (unit,) = await rows(world, "SELECT attempt, failed_attempts, forgiven_failures FROM task_file")
    assert tuple(unit) == (5, 4, 4)
    await world.report(last)
    await world.settle()
    assert (await world.status(task_id), await outputs(world, task_id)) == ("done", [last.outputs[0].name])


async def test_the_first_real_failure_after_losses_is_one_too_many_where_one_is_allowed(world: World) -> None:
    """Scenario 12: losses are not the user's failures (docs/explanation/retries.md)."""
    task_id = await world.submit(inputs={"events": {"count": 2}}, scouts={"jobs": 0}, retry={"max_attempts": 5, "max_failures": 1})
    await world.settle()
    await lose_at(world, (await world.claim())[0], "running")
    await world.settle()
    await world.report((await world.claim())[0], FAILED)
    await world.settle()
    assert (await world.status(task_id), await ended(world, task_id)) == ("failed", {"failed": 2})


async def test_a_zombie_is_told_that_its_job_is_gone_and_counts_nothing(world: World) -> None:
    """Scenario 13. The second attempt is another job (docs/adr/0017), so that nothing the first pilot says can touch it."""
    task_id = await world.submit(inputs={"events": {"count": 2}})
    await world.settle()
    (zombie,) = await world.claim()
    await beat(world, zombie)
    await lose(world, zombie.job_id)
    await world.settle()
    (second,) = await world.claim()
    assert (second.job_id != zombie.job_id, second.attempt) == (True, 2)
    assert [(await beat(world, job)).verdict for job in (zombie, second)] == ["gone", "ok"]
    posing = replace(second, claim_id=zombie.claim_id, attempt=zombie.attempt)
    for late in (zombie, posing):
        assert [(await world.report(late, *how)).verdict for how in ((), (FAILED,))] == ["refused", "refused"]
    assert (await beat(world, posing)).verdict == "gone"
    assert (await hot(world, task_id), await outputs(world, task_id)) == ({"running": 1}, [])
    await world.report(second)
    await world.settle()
    assert [(await world.report(late)).verdict for late in (zombie, posing)] == ["refused", "refused"]
    assert (await ended(world, task_id), await outputs(world, task_id)) == ({"failed": 1, "finished": 1}, [second.outputs[0].name])
    (unit,) = await rows(world, "SELECT status, attempt, failed_attempts FROM task_file")
    assert (tuple(unit), (await world.progress(task_id)).n_finished) == (("finished", 2, 1), 1)


@pytest.mark.parametrize("where", ["same queue", "another queue"])
async def test_a_second_pilot_with_a_copy_of_the_job_cannot_hold_or_end_it(world: World, where: str) -> None:
    """Scenario 13: what counts is the claim, and the queue of the pilot's token (docs/adr/0008)."""
    task_id = await world.submit(inputs={"events": {"count": 2}})
    await world.settle()
    (job,) = await world.claim()
    stranger = world if where == "same queue" else await farm(world, "far")
    copy = replace(job, claim_id=uuid4().hex)
    await beat(world, job)
    if where == "same queue":
        assert ((await beat(stranger, copy)).verdict, (await stranger.report(copy)).verdict) == ("gone", "refused")
    else:
        with pytest.raises(Exception, match="not of this token's queue"):
            await stranger.report(job)
    assert (await hot(world, task_id), (await beat(world, job)).verdict) == ({"running": 1}, "ok")
    assert (await world.report(job)).verdict == "accepted"
    await world.settle()
    assert (await world.status(task_id), len(await outputs(world, task_id))) == ("done", 1)


@pytest.mark.parametrize("how", [None, FAILED], ids=["success", "failure"])
async def test_a_report_that_is_sent_again_is_known_and_counted_once(world: World, how: Outcome | None) -> None:
    """Scenario 14, also after the task has ended."""
    task_id = await world.submit(inputs={"events": {"count": 2}}, retry={"max_attempts": 1})
    await world.settle()
    (job,) = await world.claim()
    given = () if how is None else (how,)
    found = [await world.report(job, *given) for _ in range(3)]
    assert [verdict.verdict for verdict in found] == ["accepted", "repeated", "repeated"]
    assert {verdict.status for verdict in found} == {"failed" if how else "finished"}
    await world.settle()
    assert ((await world.report(job, *given)).verdict, (await beat(world, job)).verdict) == ("repeated", "gone")
    (unit,) = await rows(world, "SELECT attempt, failed_attempts FROM task_file")
    assert (tuple(unit), len(await outputs(world, task_id))) == ((1, 1 if how else 0), 0 if how else 1)
    assert await value(world, "SELECT count(*) FROM job_event WHERE event IN ('finish', 'fail')") == 1


async def test_heartbeats_renew_the_lease_and_follow_the_phase_but_never_backwards(world: World) -> None:
    """Scenario 14: heartbeats may overtake one another, and the report."""
    await world.submit(inputs={"events": {"count": 2}})
    await world.settle()
    (job,) = await world.claim()
    await expire(world)
    seen = []
    for phase in ("stage_in", "running", "stage_in", "stage_out", "running", "stage_in", "stage_out"):
        assert (await beat(world, job, phase)).verdict == "ok"
        seen.append(await value(world, "SELECT status FROM job WHERE lease_expires_at > now() + interval '25 s'"))
    assert seen == ["starting", "running", "running", *["stageout"] * 4]
    await world.report(job)
    assert [(await beat(world, job, phase)).verdict for phase in ("stage_in", "running", "stage_out")] == ["gone"] * 3
    events = await rows(world, "SELECT event FROM job_event ORDER BY event_id")
    assert [row["event"] for row in events] == ["create", "activate", "claim", "start", "run", "stage_out", "finish"]
