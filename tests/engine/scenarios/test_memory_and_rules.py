"""Scenarios 17 and 18: jobs that are killed for memory get more, and rules of the operators end what cannot be mended."""

from dataclasses import replace
from typing import Any

import pytest

from pandawms.domain.codes import Code
from pandawms.domain.outcome import outcome
from pandawms.domain.retry_rule import Action, Mode
from tests.engine.play import add_dataset, add_queue, ended, rows, run_with, unit_statuses, value
from tests.engine.scenarios.stories import TWENTY, claim_all
from tests.engine.test_retries_by_reason import add_rule, done_about
from tests.world import World

KILLED_FOR_MEMORY = outcome(Code.TOO_MUCH_MEMORY, "killed at 2100 MB")
QUOTA = outcome(Code.PAYLOAD_FAILED, "copying results\nquota of /scratch exceeded by 3 GB", exit_code=1)
LARGE: dict[str, Any] = TWENTY | {"resources": {"memory_mb": 2000}, "retry": {"max_attempts": 4}}


async def test_a_job_that_was_killed_for_memory_twice_gets_the_next_step_each_time(world: World) -> None:
    """Scenario 17 (code 1235): the step above 2000 MB is 3000 MB; the steps are those of docs/explanation/retries.md."""
    assert Code.TOO_MUCH_MEMORY.number == 1235
    await add_dataset(world, 20)
    task_id = await world.submit(**LARGE)
    await world.settle()
    (first,) = await world.claim()
    await world.report(first, KILLED_FOR_MEMORY)
    await world.settle()
    others = await claim_all(world)
    second = next(job for job in others if job.attempt == 2)
    assert (first.resources.memory_mb, second.resources.memory_mb) == (2000, 3000)
    assert {job.resources.memory_mb for job in others if job.attempt == 1} == {2000}, "the others keep what they had"
    await world.report(second, KILLED_FOR_MEMORY)
    await world.settle()
    (third,) = await claim_all(world)
    assert (third.attempt, third.resources.memory_mb) == (3, 4000)
    acts = [*await done_about(world, first), *await done_about(world, second)]
    assert [(act.rule, act.before, act.after, act.is_applied) for act in acts] == [("memory-exceeded", 2000, 3000, True), ("memory-exceeded", 3000, 4000, True)]
    assert "memory_mb" not in await value(world, "SELECT learned FROM task WHERE task_id = $1", task_id), "one input of twenty raises no task"
    for job in (*others, third):
        if job.job_id != second.job_id:
            await world.report(job)
    await world.settle()
    assert (await world.status(task_id), await ended(world, task_id)) == ("done", {"failed": 2, "finished": 20})


async def test_more_than_thirty_per_cent_raise_the_task_and_only_large_queues_get_its_jobs(world: World) -> None:
    """Scenario 17. PanDA names a class of resources (HIMEM); here a job says what it needs, and only queues and slots that have it get it."""
    await rows(world, "UPDATE queue SET memory_mb = 2500")
    large = replace(world, queue_id=await add_queue(world, "large"))
    await add_dataset(world, 40)
    task_id = await world.submit(**LARGE)
    await world.settle()
    jobs = await world.claim(50)
    assert 6 < len(jobs) < 40, "both queues have jobs"
    for job in jobs[:12]:
        await world.report(job, KILLED_FOR_MEMORY)
    await world.settle()
    assert "memory_mb" not in await value(world, "SELECT learned FROM task WHERE task_id = $1", task_id), "12 of 40 are 30 %, not more"
    await world.report(jobs[12], KILLED_FOR_MEMORY)
    await world.settle()
    assert (await value(world, "SELECT learned FROM task WHERE task_id = $1", task_id))["memory_mb"] == 3000
    (raised,) = await rows(world, "SELECT value_before, value_after FROM retry_action WHERE job_id IS NULL AND task_id = $1", task_id)
    assert tuple(raised) == (2000, 3000)
    assert await world.claim(50, memory_mb=2500) == (), "the small queue gets none of them"
    again = [job for job in await claim_all(large, memory_mb=8000) if job.attempt == 2]
    assert (len(again), {job.resources.memory_mb for job in again}) == (13, {3000})
    assert await large.claim(50, memory_mb=2500) == (), "nor does a small slot of the large one"
    (rejected,) = await value(world, "SELECT rejections FROM brokerage WHERE task_id = $1", task_id)
    assert (rejected["queue"], rejected["rule"], rejected["limit"], rejected["value"]) == ("local", "memory", 2500, 3000)


@pytest.mark.parametrize("mode", [Mode.ACTIVE, Mode.LOG_ONLY])
async def test_a_rule_on_the_message_ends_the_inputs_it_is_for_and_one_that_only_logs_changes_nothing(world: World, mode: Mode) -> None:
    """Scenario 18. Both are kept with the job, with what was done or would have been."""
    await add_rule(world, Action.NO_RETRY, "quota", pattern="quota of .* exceeded", domain="payload", mode=mode)
    await add_dataset(world, 5)
    task_id = await world.submit(**TWENTY | {"retry": {"max_attempts": 3}})
    other = outcome(Code.PAYLOAD_FAILED, "exit 1", exit_code=1)
    ran = await run_with(world, {("run", 1): QUOTA, ("run", 2): other})
    is_active = mode is Mode.ACTIVE
    assert [sum(job.traits.serial == serial for job in ran) for serial in (1, 2, 3)] == [1 if is_active else 3, 3, 1]
    acts = [act for job in ran if job.traits.serial == 1 for act in await done_about(world, job) if act.rule is not None]
    assert [(act.rule, act.rule_version, act.is_applied) for act in acts] == [("quota", 1, is_active)] * (1 if is_active else 3)
    assert {(act.action, act.before, act.after) for act in acts} == {("no_retry", 3, 0) if is_active else ("no_retry", None, None)}
    assert not [act for job in ran if job.traits.serial == 2 for act in await done_about(world, job) if act.rule == "quota"]
    assert (await world.status(task_id), await unit_statuses(world, task_id)) == ("finished", {"finished": 3, "failed": 2})
