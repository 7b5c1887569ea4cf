"""What a user asks is applied in sets, whatever state the jobs are in."""

from collections.abc import Awaitable, Callable

import pytest

from pandawms.domain.codes import Code
from pandawms.domain.errors import Conflict
from pandawms.domain.outcome import outcome
from pandawms.engine.broker.step import step as broker
from pandawms.engine.command.step import step as command
from pandawms.engine.define.step import step as define
from pandawms.engine.generate.step import step as generate
from pandawms.engine.services import Services
from pandawms.store import identity, places
from pandawms.store.database import Pool
from tests.engine import invariants
from tests.engine.play import FAILED, FILES, MERGE, answer, ask, beat, ended, hot, lose, outputs, rows, run_with, told, unit_statuses, value
from tests.world import World

STOPPED = outcome(Code.KILLED_BY_SERVER)
Step = Callable[[Pool, Services], Awaitable[int]]


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


async def test_a_job_that_gets_ready_in_a_paused_task_is_held(world: World) -> None:
    task_id = await world.submit()
    for stage in (define, broker, generate):
        await stage(world.pool, world.services)
    assert await hot(world, task_id) == {"defined": 5}
    assert await told(world, "pause", task_id) == "paused: no job was concerned"
    assert await hot(world, task_id) == {"throttled": 5}
    await told(world, "resume", task_id)
    assert len(await world.run_all()) == 5
    await invariants.check(world)


@pytest.mark.parametrize(("before", "steps"), [("registered", ()), ("ready", (define,)), ("ready", (define, broker))])
async def test_a_task_that_is_paused_early_goes_on_where_it_was(world: World, before: str, steps: tuple[Step, ...]) -> None:
    task_id = await world.submit()
    for stage in steps:
        await stage(world.pool, world.services)
    assert await world.status(task_id) == before
    await told(world, "pause", task_id)
    assert await world.status(task_id) == "paused"
    assert await value(world, "SELECT previous_status FROM task WHERE task_id = $1", task_id) == before
    await ask(world, "resume", task_id=task_id)
    await command(world.pool, world.services)
    assert await world.status(task_id) == before
    assert len(await world.run_all()) == 5
    await invariants.check(world)


async def test_a_finish_keeps_what_has_run_and_merges_it(world: World) -> None:
    task_id = await world.submit(outputs={"out": "o.txt"}, merge=MERGE)
    await world.settle()
    for job in await world.claim(2):
        await world.report(job)
    await world.settle()
    assert await told(world, "finish", task_id) == "finishing: 3 jobs ended"
    (merge,) = await world.run_all()
    assert (merge.kind, len(merge.inputs), await world.status(task_id)) == ("merge", 2, "finished")
    assert len(await outputs(world, task_id, "whole")) == 1
    await invariants.check(world)


async def test_a_retry_may_change_parameters_for_what_is_tried_again(world: World) -> None:
    task_id = await world.submit(retry={"max_attempts": 1})
    await run_with(world, {("run", 2): FAILED})
    words = await told(world, "retry", task_id, changes={"resources": {"memory_mb": 2500}, "priority": 4000}, attempts=2)
    assert words == "retried: 1 input is open again"
    (job,) = await world.run_all()
    assert (job.resources.memory_mb, job.attempt, await world.status(task_id)) == (2500, 2, "done")
    assert await value(world, "SELECT max_attempts FROM task_file WHERE task_id = $1 AND number = 2", task_id) == 3
    found = await rows(world, "SELECT version, priority FROM task WHERE task_id = $1", task_id)
    assert [tuple(row) for row in found] == [(2, 4000)]
    await invariants.check(world)


async def test_a_retry_takes_the_children_with_it_unless_it_is_sole(world: World) -> None:
    parent = await world.submit(name="first", retry={"max_attempts": 1})
    child = await world.submit(**FILES | {"name": "child", "inputs": {"in": {"task": "first", "output": "out"}}})
    await run_with(world, {("run", 2): FAILED}, most=5)
    await world.run_all()
    assert await world.status(parent) == "finished"
    before = await world.status(child)
    assert (await told(world, "retry", parent, sole=True)).startswith("retried: 1 input is open again")
    assert await value(world, "SELECT count(*) FROM command WHERE task_id = $1", child) == 0
    await world.run_all()
    assert (await world.status(parent), before in ("done", "finished")) == ("done", True)
    await invariants.check(world)


async def test_reassigned_jobs_go_elsewhere_and_the_attempt_does_not_count(world: World) -> None:
    task_id = await world.submit(retry={"max_attempts": 1})
    await world.settle()
    (running,) = await world.claim()
    assert await told(world, "reassign", task_id, queues=["nowhere"]) == "reassigned: 1 job ended, 4 waiting jobs withdrawn"
    assert (await hot(world, task_id), await unit_statuses(world, task_id)) == ({}, {"ready": 5})
    assert (await beat(world, running)).verdict == "gone"
    assert (await world.report(running)).verdict == "refused"
    assert await value(world, "SELECT rejections->0->>'queue' FROM brokerage WHERE task_id = $1", task_id) == "local"
    assert (await told(world, "reassign", task_id)).startswith("reassigned")
    await rows(world, "UPDATE task SET next_look_at = now()")
    ran = await world.run_all()
    assert ({job.attempt for job in ran}, await world.status(task_id)) == ({2}, "done")
    await invariants.check(world)


async def test_a_soft_reassign_leaves_what_runs_and_nokill_leaves_all(world: World) -> None:
    task_id = await world.submit()
    await world.settle()
    (running,) = await world.claim()
    assert await told(world, "reassign", task_id, nokill=True) == "reassigned: no job was concerned"
    assert await told(world, "reassign", task_id, soft=True) == "reassigned: 4 waiting jobs withdrawn"
    assert (await beat(world, running)).verdict == "ok"
    await world.report(running)
    await world.run_all()
    assert await world.status(task_id) == "done"
    await invariants.check(world)


async def test_priority_and_share_change_for_jobs_that_wait(world: World) -> None:
    task_id = await world.submit()
    await world.settle()
    (held,) = await world.claim()
    async with world.pool.acquire() as connection:
        community_id = await identity.ensure_community(connection, "local")
        share_id = await places.ensure_share(connection, community_id, "other", 1.0)
    assert await told(world, "set", task_id, priority=4321, share="other") == "set: priority = 4321, share = other; 4 waiting jobs changed"
    found = await rows(world, "SELECT j.job_id, j.priority, j.share_id FROM job j WHERE task_id = $1", task_id)
    assert {(row["priority"], row["share_id"]) for row in found if row["job_id"] != held.job_id} == {(4321, share_id)}
    assert [row["priority"] for row in found if row["job_id"] == held.job_id] == [1000]
    assert await told(world, "set", task_id, share="none") == "refused: community local has no share none"
    await world.run_all()
    await invariants.check(world)


async def test_memory_is_for_jobs_that_are_made_later(world: World) -> None:
    task_id = await world.submit()
    assert await told(world, "set", task_id, memory_mb=3333, wall_seconds=777) == "set: memory_mb = 3333, wall_seconds = 777"
    jobs = await world.run_all()
    assert {(job.resources.memory_mb, job.resources.wall_seconds) for job in jobs} <= {(3333, 777), (1000, 3600)}
    command_id = await ask(world, "set", task_id=await world.submit(name="u"), memory_mb=2222)
    await command(world.pool, world.services)
    assert {job.resources.memory_mb for job in await world.run_all()} == {2222}
    assert await answer(world, command_id) == "set: memory_mb = 2222"
    await invariants.check(world)


async def test_more_attempts_open_what_had_none_left(world: World) -> None:
    task_id = await world.submit(retry={"max_attempts": 1})
    await world.settle()
    one, two = await world.claim(2)
    await world.report(one, FAILED)
    await world.settle()
    assert await told(world, "set", task_id, attempts=2) == "set: 5 inputs may be tried 2 times more"
    await world.report(two)
    ran = await world.run_all()
    assert ([job.attempt for job in ran].count(2), await world.status(task_id)) == (1, "done")
    await invariants.check(world)


async def test_obsolete_takes_the_outputs_away_and_what_was_made_of_them(world: World) -> None:
    parent = await world.submit(name="first")
    child = await world.submit(**FILES | {"name": "child", "inputs": {"in": {"task": "first", "output": "out"}}})
    await world.settle()
    assert (await told(world, "obsolete", parent)).startswith("refused: A task in status running does not take obsolete.")
    await world.run_all()
    assert await told(world, "obsolete", parent) == "obsolete: 1 dataset removed"
    assert [await world.status(task_id) for task_id in (parent, child)] == ["obsolete", "obsolete"]
    assert await value(world, "SELECT count(*) FROM dataset WHERE removed_at IS NULL") == 0
    await world.submit(name="first")
    await invariants.check(world)


async def test_one_command_of_a_task_is_pending_at_a_time_and_the_other_is_named(world: World) -> None:
    task_id = await world.submit()
    first = await ask(world, "set", task_id=task_id, priority=5, reason="one")
    assert await ask(world, "set", task_id=task_id, priority=5, reason="two") == first
    for verb, arguments in (("set", {"priority": 6}), ("kill", {})):
        with pytest.raises(Conflict) as raised:
            await ask(world, verb, task_id=task_id, **arguments)
        assert (raised.value.code, raised.value.detail) == ("command_pending", f"command {first} of this task is pending: set, asked by ada")
    await world.settle()
    await ask(world, "kill", task_id=task_id)
