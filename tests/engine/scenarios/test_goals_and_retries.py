"""Scenarios 4 and 5: three of twenty files fail for good; what that means under several goals, and what a retry makes of it."""

from typing import Any

import pytest

from tests.engine.play import FAILED, add_dataset, ended, hot, outputs, rows, run_with, told, unit_statuses
from tests.engine.scenarios.stories import TWENTY, claim_all, is_open, reason, verdicts
from tests.world import World

TWICE: dict[str, Any] = TWENTY | {"retry": {"max_attempts": 2}}
THREE_FAIL = {("run", serial): FAILED for serial in (3, 7, 20)}


async def test_three_of_twenty_failed_is_finished_at_85_per_cent(world: World) -> None:
    """Scenario 4. They failed for good: each had both its attempts."""
    await add_dataset(world, 20)
    task_id = await world.submit(**TWICE)
    assert len(await run_with(world, THREE_FAIL)) == 23
    assert await verdicts(world, task_id) == [("finished", "partly_done", 85.0)]
    assert await unit_statuses(world, task_id) == {"finished": 17, "failed": 3}
    assert (len(await outputs(world, task_id)), await is_open(world, task_id)) == (17, False)


async def test_a_goal_of_80_per_cent_ends_the_task_early(world: World) -> None:
    """Scenario 4: sixteen of twenty are enough; what runs may end, what waits is withdrawn (softly: docs/adr/0037)."""
    await add_dataset(world, 20)
    task_id = await world.submit(**TWENTY, goal={"percent": 80})
    await world.settle()
    jobs = await world.claim(17)
    for job in jobs[:15]:
        await world.report(job)
    await world.settle()
    assert await world.status(task_id) == "running"
    await world.report(jobs[15])
    await world.settle()
    assert (await world.status(task_id), await hot(world, task_id)) == ("finishing", {"sent": 1})
    await world.report(jobs[16])
    await world.settle()
    assert await verdicts(world, task_id) == [("finished", "partly_done", 85.0)]
    assert await unit_statuses(world, task_id) == {"finished": 17, "failed": 3}


async def test_a_goal_of_80_per_cent_is_kept_when_the_task_runs_to_its_end(world: World) -> None:
    """Scenario 4: 85 % are more than 80 %, so that nothing fails although a missed goal would."""
    await add_dataset(world, 20)
    task_id = await world.submit(**TWICE, goal={"percent": 80, "on_miss": "fail", "finish_early": False})
    await run_with(world, THREE_FAIL)
    assert await verdicts(world, task_id) == [("finished", "partly_done", 85.0)]
    assert await ended(world, task_id) == {"finished": 17, "failed": 6}


async def test_a_goal_of_90_per_cent_is_missed_and_the_task_fails_when_it_is_asked_to(world: World) -> None:
    """Scenario 4."""
    await add_dataset(world, 20)
    task_id = await world.submit(**TWICE, goal={"percent": 90, "on_miss": "fail"})
    await run_with(world, THREE_FAIL)
    assert await verdicts(world, task_id) == [("failed", "goal_missed", 85.0)]
    assert (await reason(world, task_id))["text"] == "85 % were processed, its goal is 90 %"


@pytest.mark.parametrize(("goal", "first"), [({}, "finished"), ({"goal": {"percent": 90, "on_miss": "fail"}}, "failed")])
async def test_a_retry_opens_only_the_three_that_failed_and_the_second_verdict_is_done(world: World, goal: dict[str, Any], first: str) -> None:
    """Scenario 5. The attempts go on counting, so that no name of a file comes back; a task that failed takes a retry, too (docs/adr/0015)."""
    await add_dataset(world, 20)
    task_id = await world.submit(**TWICE, **goal)
    ran = await run_with(world, THREE_FAIL)
    kept = await outputs(world, task_id)
    assert await world.status(task_id) == first
    assert await told(world, "retry", task_id) == "retried: 3 inputs are open again"
    assert (await unit_statuses(world, task_id), await hot(world, task_id)) == ({"finished": 17, "running": 3}, {"activated": 3})
    limits = await rows(world, "SELECT number, attempt, max_attempts FROM task_file WHERE task_id = $1 AND status = 'running' ORDER BY number", task_id)
    assert [tuple(row) for row in limits] == [(3, 3, 5), (7, 3, 5), (20, 3, 5)], "the third attempt of five: three more than the two there were"
    assert (await is_open(world, task_id), await outputs(world, task_id)) == (True, kept)
    again = await claim_all(world)
    assert {job.traits.serial: job.attempt for job in again} == {3: 3, 7: 3, 20: 3}
    assert not {file.name for job in again for file in job.outputs} & {file.name for job in ran for file in job.outputs}
    for job in again:
        await world.report(job)
    await world.settle()
    assert [(status, percent) for status, _, percent in await verdicts(world, task_id)] == [(first, 85.0), ("done", 100.0)]
    assert await outputs(world, task_id) == sorted([*kept, *(job.outputs[0].name for job in again)])
    assert (len(await outputs(world, task_id)), await is_open(world, task_id)) == (20, False)
