"""What a user asks is applied in sets, whatever state the jobs are in."""

from pandawms.domain.codes import Code
from pandawms.domain.outcome import outcome
from tests.engine import invariants
from tests.engine.play import FAILED, FILES, HOPELESS, MERGE, answer, ask, beat, ended, hot, lose, outputs, rows, run_with, unit_statuses, value
from tests.world import World

STOPPED = outcome(Code.KILLED_BY_SERVER)


async def test_a_kill_ends_what_no_pilot_holds_at_once_and_tells_the_pilots_of_the_rest(world: World) -> None:
    task_id = await world.submit()
    await world.settle()
    sent, running, done = await world.claim(3)
    await beat(world, running)
    await world.report(done)
    await ask(world, "kill", task_id=task_id)
    await world.settle()
    assert (await world.status(task_id), await hot(world, task_id)) == ("aborting", {"sent": 1, "running": 1})
    assert await ended(world, task_id) == {"cancelled": 2, "finished": 1}
    assert [(await beat(world, job)).verdict for job in (sent, running)] == ["kill", "kill"]
    assert (await world.report(running, STOPPED)).verdict == "accepted"
    await lose(world, sent.job_id)
    await world.settle()
    assert (await world.status(task_id), await hot(world, task_id)) == ("aborted", {})
    assert set(await unit_statuses(world, task_id)) == {"cancelled", "failed", "finished"}
    assert await value(world, "SELECT count(*) FROM job_order") == 0
    await invariants.check(world)


async def test_a_kill_before_any_job_ran_cancels_all_and_frees_the_name(world: World) -> None:
    task_id = await world.submit()
    await world.settle()
    await ask(world, "kill", task_id=task_id)
    await world.settle()
    assert (await world.status(task_id), await ended(world, task_id)) == ("aborted", {"cancelled": 5})
    assert await unit_statuses(world, task_id) == {"cancelled": 5}
    assert await value(world, "SELECT removed_at IS NOT NULL AND NOT is_open FROM dataset WHERE producer_task_id = $1", task_id) is True
    await world.submit()
    await world.run_all()
    await invariants.check(world)


async def test_a_kill_right_after_the_submission_cancels_everything(world: World) -> None:
    task_id = await world.submit()
    await ask(world, "kill", task_id=task_id)
    await world.settle()
    assert await world.status(task_id) == "aborted"
    await invariants.check(world)


async def test_the_output_of_a_killed_task_keeps_the_files_that_are_in_it(world: World) -> None:
    task_id = await world.submit()
    await world.settle()
    (job,) = await world.claim()
    await world.report(job)
    await ask(world, "kill", task_id=task_id)
    await world.settle()
    assert await outputs(world, task_id) == [job.outputs[0].name]
    assert await value(world, "SELECT removed_at IS NULL AND NOT is_open FROM dataset WHERE producer_task_id = $1", task_id) is True


async def test_a_kill_while_jobs_wait_to_be_merged_ends_them_and_their_merge_job(world: World) -> None:
    task_id = await world.submit(outputs={"out": "o.txt"}, merge=MERGE | {"files_per_job": 2})
    await world.settle()
    for job in await world.claim(3):
        await world.report(job)
    await world.settle()
    assert await hot(world, task_id) == {"merging": 3, "activated": 3}, "two wait for the merge job of their group, one for company"
    await ask(world, "kill", task_id=task_id)
    await world.settle()
    assert (await world.status(task_id), await hot(world, task_id)) == ("aborted", {})
    await invariants.check(world)


async def test_a_job_that_comes_to_merging_in_a_killed_task_is_ended_too(world: World) -> None:
    task_id = await world.submit(outputs={"out": "o.txt"}, merge=MERGE)
    await world.settle()
    (job,) = await world.claim()
    await ask(world, "kill", task_id=task_id)
    await world.settle()
    await world.report(job)
    await world.settle()
    assert (await world.status(task_id), await hot(world, task_id)) == ("aborted", {})
    await invariants.check(world)


async def test_a_killed_job_that_waits_is_cancelled_for_good(world: World) -> None:
    task_id = await world.submit()
    await world.settle()
    job_id = await value(world, "SELECT min(job_id) FROM job")
    command_id = await ask(world, "kill", job_id=job_id)
    ran = await world.run_all()
    assert (await answer(world, command_id), len(ran)) == ("cancelled", 4)
    assert await world.status(task_id) == "finished"
    assert await unit_statuses(world, task_id) == {"finished": 4, "cancelled": 1}
    await invariants.check(world)


async def test_the_pilot_of_a_killed_job_is_told_by_its_next_heartbeat(world: World) -> None:
    await world.submit()
    await world.settle()
    mine, other = await world.claim(2)
    command_id = await ask(world, "kill", job_id=mine.job_id)
    await world.settle()
    assert await answer(world, command_id) == "its pilot will be told by the next heartbeat"
    told = await beat(world, mine)
    assert (told.verdict, told.reason) == ("kill", "killed by a user")
    assert (await beat(world, other)).verdict == "ok"


async def test_a_killed_job_whose_pilot_is_never_heard_again_is_not_tried_again(world: World) -> None:
    task_id = await world.submit(inputs={"events": {"count": 2}})
    await world.settle()
    (job,) = await world.claim()
    await ask(world, "kill", job_id=job.job_id)
    await world.settle()
    await lose(world)
    await world.settle()
    assert (await world.claim(), await world.status(task_id)) == ((), "failed")


async def test_a_job_whose_output_waits_to_be_merged_cannot_be_killed_alone(world: World) -> None:
    task_id = await world.submit(outputs={"out": "o.txt"}, merge=MERGE)
    await world.settle()
    (job,) = await world.claim()
    await world.report(job)
    command_id = await ask(world, "kill", job_id=job.job_id)
    ran = await world.run_all()
    assert (await answer(world, command_id)).startswith("refused")
    assert (await world.status(task_id), len(ran[-1].inputs)) == ("done", 5)


async def test_a_kill_of_a_job_that_ended_is_refused(world: World) -> None:
    await world.submit()
    await world.settle()
    (job,) = await world.claim()
    await world.report(job)
    command_id = await ask(world, "kill", job_id=job.job_id)
    await world.settle()
    assert await answer(world, command_id) == "refused: the job has ended"


async def test_a_kill_of_a_task_that_ended_is_refused_and_changes_nothing(world: World) -> None:
    task_id = await world.submit()
    await world.run_all()
    command_id = await ask(world, "kill", task_id=task_id)
    await world.settle()
    assert (await answer(world, command_id)).startswith("refused")
    assert await world.status(task_id) == "done"


async def test_the_same_command_that_is_still_pending_is_written_once(world: World) -> None:
    task_id = await world.submit()
    assert await ask(world, "kill", task_id=task_id) == await ask(world, "kill", task_id=task_id)


async def test_a_retry_of_a_failed_task_is_a_new_round_and_the_old_verdict_stays(world: World) -> None:
    task_id = await world.submit(retry={"max_attempts": 1})
    await run_with(world, {("run", 2): FAILED, ("run", 4): HOPELESS})
    assert await world.status(task_id) == "finished"
    await ask(world, "retry", task_id=task_id)
    ran = await world.run_all()
    assert sorted((job.traits.serial, job.attempt) for job in ran) == [(2, 2), (4, 2)]
    assert await world.status(task_id) == "done"
    found = await rows(world, "SELECT round, status, verdict FROM task_round WHERE task_id = $1 ORDER BY round", task_id)
    assert [(row["round"], row["status"], row["verdict"]["finished"], row["verdict"]["failed"]) for row in found] == [(1, "finished", 3, 2), (2, "done", 5, 0)]
    assert len(await outputs(world, task_id)) == 5
    await invariants.check(world)


async def test_a_retry_opens_the_outputs_again_and_the_end_closes_them(world: World) -> None:
    task_id = await world.submit(retry={"max_attempts": 1})
    await run_with(world, {("run", 1): FAILED})
    await ask(world, "retry", task_id=task_id)
    await world.settle()
    assert await value(world, "SELECT is_open FROM dataset WHERE producer_task_id = $1", task_id) is True
    await world.run_all()
    assert await value(world, "SELECT is_open FROM dataset WHERE producer_task_id = $1", task_id) is False
    events = await rows(world, "SELECT event FROM entity_event WHERE entity = 'dataset' ORDER BY event_id")
    assert [row["event"] for row in events] == ["create_output", "freeze", "thaw", "freeze"]


async def test_a_retry_of_a_task_that_still_runs_is_refused(world: World) -> None:
    task_id = await world.submit()
    await world.settle()
    command_id = await ask(world, "retry", task_id=task_id)
    await world.settle()
    assert (await answer(world, command_id)).startswith("refused")
    assert await world.status(task_id) == "running"


async def test_files_are_read_by_the_killed_task_no_more(world: World) -> None:
    task_id = await world.submit(name="first")
    child = await world.submit(name="child", **FILES | {"inputs": {"in": {"task": "first", "output": "out"}}})
    await world.settle()
    for job in await world.claim(2):
        await world.report(job)
    await world.settle()
    await ask(world, "kill", task_id=child)
    await world.run_all()
    assert (await world.status(task_id), await world.status(child)) == ("done", "aborted")
    await invariants.check(world)
