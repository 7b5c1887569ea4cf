"""Copies of jobs in several queues: one counts, whichever way the others end, and all of them together are one attempt."""

import asyncio

import pytest

from pandawms.api import views
from pandawms.domain.codes import Code
from pandawms.domain.outcome import outcome
from pandawms.engine.broker.step import step as broker
from pandawms.engine.define.step import step as define
from pandawms.engine.explain import read as explaining
from pandawms.engine.generate.step import step as generate
from pandawms.store import clones, jobs, retry_rules
from pandawms.wire.job import JobCopies
from pandawms.wire.why import Cause
from tests.engine import invariants
from tests.engine.play import FAILED, FILES, MERGE, add_dataset, add_files, ask, close_dataset, ended, hot, lose, outputs, rows, told, value, watch
from tests.engine.two_queues import KILLED, ONE, Two, run_both
from tests.world import World


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
