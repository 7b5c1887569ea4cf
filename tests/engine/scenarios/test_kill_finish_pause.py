"""Scenarios 7 to 9: a task is killed wherever it is, finished softly and hard, held and let go again."""

from datetime import timedelta
from typing import Any

import pytest

from pandawms.domain.codes import Code
from pandawms.domain.outcome import outcome
from tests.engine.machine import Clock
from tests.engine.play import FAILED, FILES, MERGE, add_dataset, ask, beat, ended, hot, outputs, rows, told, unit_statuses, value, watch
from tests.engine.scenarios.stories import CHILD, TWENTY, verdicts, way
from tests.engine.test_builds import BUILD, COMMAND
from tests.world import World

STOPPED = outcome(Code.KILLED_BY_SERVER)
KILLED: dict[str, dict[str, Any]] = {
    "registered": {}, "staging": {}, "pending": FILES | {"inputs": {"in": {"dataset": "user.ada:later", "if_missing": "wait"}}},
    "scouting": {"scouts": {"jobs": 2, "from_jobs": 1}}, "running": {}, "waiting": {"program": COMMAND, "build": BUILD}, "merging": {"merge": MERGE},
}  # fmt: skip


@pytest.mark.parametrize("where", KILLED)
async def test_a_kill_wherever_the_task_is_leaves_no_job_and_takes_the_children_with_it(world: World, where: str) -> None:
    """Scenario 7. Waiting are jobs behind a build, merging those before their merge job; staging a status that only its events make here (by SQL)."""
    task_id = await world.submit(**KILLED[where])
    reads = {"inputs": {"in": {"task": "t", "output": "whole" if where == "merging" else "out"}}}
    child = await world.submit(**CHILD | reads)
    grandchild = await world.submit(**CHILD | {"name": "grandchild", "inputs": {"in": {"task": "child", "output": "out"}}})
    held = []
    if where == "staging":
        await rows(world, "UPDATE task SET status = 'staging' WHERE task_id = $1", task_id)
        await rows(world, "UPDATE task_event SET to_status = 'staging', event = 'submit_staging' WHERE task_id = $1", task_id)
    elif where != "registered":
        await world.settle()
        held = list(await world.claim())
    if where == "merging":
        await world.report(held.pop())
        await world.settle()
        held = list(await world.claim(4))
    status = {"waiting": "running", "merging": "running"}.get(where, where)
    assert (await world.status(task_id), where not in ("waiting", "merging") or where in await hot(world, task_id)) == (status, True)
    await ask(world, "kill", task_id=task_id)
    await world.settle()
    for job in held:
        assert (await beat(world, job)).verdict == "kill"
        await world.report(job, STOPPED)
    await world.settle()
    assert [await world.status(each) for each in (task_id, child, grandchild)] == ["aborted"] * 3
    assert await value(world, "SELECT (SELECT count(*) FROM job) + (SELECT count(*) FROM job_order) + (SELECT count(*) FROM allocation)") == 0
    assert set(await unit_statuses(world, task_id)) <= {"cancelled", "failed"}
    assert await value(world, "SELECT count(*) FROM dataset WHERE producer_task_id IS NOT NULL AND (is_open OR removed_at IS NULL AND NOT is_transient)") == 0
    assert await world.run_all() == []


@pytest.mark.parametrize("goal", [{}, {"goal": {"percent": 90, "on_miss": "fail"}}])
async def test_a_soft_finish_waits_for_what_runs_and_withdraws_the_rest(world: World, goal: dict[str, Any]) -> None:
    """Scenario 8. It is finished and has not failed, also where a missed goal would make it fail: whoever asked knew what there was."""
    await add_dataset(world, 20)
    task_id = await world.submit(**TWENTY, **goal)
    await world.settle()
    done, running, sent = await world.claim(3)
    await world.report(done)
    await beat(world, running)
    assert await told(world, "finish", task_id, soft=True) == "finishing: 17 waiting jobs withdrawn"
    assert (await world.status(task_id), await hot(world, task_id)) == ("finishing", {"running": 1, "sent": 1})
    assert [(await beat(world, job)).verdict for job in (running, sent)] == ["ok", "ok"]
    for job in (running, sent):
        assert (await world.report(job)).verdict == "accepted"
    await world.settle()
    assert (await ended(world, task_id), await unit_statuses(world, task_id)) == ({"closed": 17, "finished": 3}, {"finished": 3, "failed": 17})
    assert (await verdicts(world, task_id), len(await outputs(world, task_id))) == ([("finished", "partly_done", 15.0)], 3)


@pytest.mark.parametrize("goal", [{}, {"goal": {"percent": 90, "on_miss": "fail"}}])
async def test_a_hard_finish_ends_all_and_keeps_what_is_processed(world: World, goal: dict[str, Any]) -> None:
    """Scenario 8. Pilots are told to stop; what was processed before is kept, and the task is finished."""
    await add_dataset(world, 20)
    task_id = await world.submit(**TWENTY, **goal)
    await world.settle()
    done, running, sent = await world.claim(3)
    await world.report(done)
    await beat(world, running)
    assert await told(world, "finish", task_id) == "finishing: 17 jobs ended, the pilots of 2 jobs told to stop"
    assert (await world.status(task_id), await hot(world, task_id)) == ("finishing", {"running": 1, "sent": 1})
    for job in (running, sent):
        assert (await beat(world, job)).verdict == "kill"
        await world.report(job, STOPPED)
    await world.settle()
    assert await ended(world, task_id) == {"cancelled": 17, "failed": 2, "finished": 1}
    assert (await verdicts(world, task_id), await outputs(world, task_id)) == ([("finished", "partly_done", 5.0)], [done.outputs[0].name])


async def test_a_pause_holds_what_is_ready_and_lets_run_what_runs_and_a_resume_goes_on(world: World, clock: Clock) -> None:
    """Scenario 9. Held jobs are `throttled`, do not age, and are ready again after the resume."""
    task_id = await world.submit()
    await world.settle()
    first, second = await world.claim(2)
    await beat(world, first)
    assert await told(world, "pause", task_id) == "paused: 3 ready jobs held"
    assert (await world.status(task_id), await hot(world, task_id)) == ("paused", {"running": 1, "sent": 1, "throttled": 3})
    assert await world.claim() == ()
    assert (await beat(world, first)).verdict == "ok"
    await world.report(first)
    await world.report(second, FAILED)
    clock.ahead += timedelta(days=9)
    await watch(world)
    await world.settle()
    assert (await world.status(task_id), await hot(world, task_id)) == ("paused", {"throttled": 3}), "nothing is made, tried again or judged meanwhile"
    assert await told(world, "resume", task_id) == "resumed: 3 jobs ready again"
    assert await hot(world, task_id) == {"activated": 4}, "three that were held, and the second attempt of what failed"
    assert len(await world.run_all()) == 4
    assert (await way(world, task_id))[-6:] == ["running", "paused", "ready", "running", "prepared", "done"]
