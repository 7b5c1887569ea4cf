"""How tasks end (semantics 3.10, scenarios 1, 4, 8 and 10 of section 14), with simulated pilots."""

from typing import Any

from pandawms.engine.aggregate.step import step as aggregate
from tests.engine import invariants
from tests.engine.play import FILES, HOPELESS, add_dataset, add_files, ask, close_dataset, ended, hot, outputs, rows, run_with, unit_statuses
from tests.world import World

TWENTY: dict[str, Any] = {"inputs": {"events": {"count": 20}}, "split": {"events_per_job": 1}, "retry": {"max_attempts": 1}}
THREE_FAIL = {("run", serial): HOPELESS for serial in (3, 7, 20)}
CHILD: dict[str, Any] = FILES | {"name": "child", "inputs": {"in": {"task": "t", "output": "out"}}}


async def verdicts(world: World, task_id: int) -> list[tuple[str, str, float]]:
    """The rounds of a task: status, line of the table, per cent."""
    found = await rows(world, "SELECT status, verdict FROM task_round WHERE task_id = $1 ORDER BY round", task_id)
    return [(row["status"], row["verdict"]["rule"], row["verdict"]["percent"]) for row in found]


async def test_twenty_files_in_ten_jobs_are_done_and_the_output_is_closed(world: World) -> None:
    await add_dataset(world, 20)
    task_id = await world.submit(**FILES | {"split": {"files_per_job": 2}, "outputs": {"out": "out.txt"}})
    await world.run_all()
    assert await verdicts(world, task_id) == [("done", "all_done", 100.0)]
    assert len(await outputs(world, task_id)) == 10
    (dataset,) = await rows(world, "SELECT is_open, n_files FROM dataset WHERE producer_task_id = $1", task_id)
    assert (dataset["is_open"], dataset["n_files"]) == (False, 10)
    await invariants.check(world)


async def test_three_of_twenty_failed_is_finished_at_85_per_cent(world: World) -> None:
    task_id = await world.submit(**TWENTY)
    await run_with(world, THREE_FAIL)
    assert await verdicts(world, task_id) == [("finished", "partly_done", 85.0)]
    await invariants.check(world)


async def test_three_of_twenty_failed_misses_a_goal_of_90_and_fails_when_asked_to(world: World) -> None:
    task_id = await world.submit(**TWENTY, goal={"percent": 90, "on_miss": "fail", "finish_early": False})
    await run_with(world, THREE_FAIL)
    assert await verdicts(world, task_id) == [("failed", "goal_missed", 85.0)]
    (row,) = await rows(world, "SELECT reason FROM task WHERE task_id = $1", task_id)
    assert row["reason"]["text"] == "85 % were processed, its goal is 90 %"
    await invariants.check(world)


async def test_a_missed_goal_leaves_the_task_exhausted_when_asked_to_and_a_finish_ends_it(world: World) -> None:
    task_id = await world.submit(**TWENTY, goal={"percent": 90, "on_miss": "exhaust", "finish_early": False})
    await run_with(world, THREE_FAIL)
    assert await verdicts(world, task_id) == [("exhausted", "goal_missed", 85.0)]
    await ask(world, "finish", task_id=task_id)
    await world.settle()
    assert await verdicts(world, task_id) == [("finished", "partly_done", 85.0)]
    await invariants.check(world)


async def test_a_retry_of_an_exhausted_task_keeps_the_verdict_of_the_round_before(world: World) -> None:
    task_id = await world.submit(**TWENTY, goal={"percent": 90, "on_miss": "exhaust", "finish_early": False})
    await run_with(world, THREE_FAIL)
    await ask(world, "retry", task_id=task_id)
    await world.run_all()
    assert [status for status, _, _ in await verdicts(world, task_id)] == ["exhausted", "done"]
    await invariants.check(world)


async def test_a_goal_of_80_ends_the_task_early(world: World) -> None:
    task_id = await world.submit(**TWENTY, goal={"percent": 80})
    await world.settle()
    for _ in range(16):
        (job,) = await world.claim()
        await world.report(job)
    (running,) = await world.claim()
    await world.settle()
    assert await world.status(task_id) == "finishing", "queued jobs are withdrawn, the one that runs is waited for"
    assert await hot(world, task_id) == {"sent": 1}
    await world.report(running)
    await world.settle()
    assert await verdicts(world, task_id) == [("finished", "partly_done", 85.0)]
    assert (await unit_statuses(world, task_id))["finished"] == 17
    await invariants.check(world)


async def test_a_goal_is_not_reached_early_when_the_document_says_so(world: World) -> None:
    task_id = await world.submit(**TWENTY, goal={"percent": 80, "finish_early": False})
    await run_with(world, THREE_FAIL)
    assert await verdicts(world, task_id) == [("finished", "partly_done", 85.0)]
    assert (await ended(world, task_id))["finished"] == 17


async def test_a_goal_is_not_reached_early_while_the_input_grows(world: World) -> None:
    dataset_id = await add_dataset(world, 4, is_open=True)
    task_id = await world.submit(**FILES, goal={"percent": 50})
    await world.run_all()
    assert await world.status(task_id) == "running"
    await add_files(world, dataset_id, 2, 4)
    await close_dataset(world, dataset_id)
    await world.run_all()
    assert (await world.status(task_id), (await world.progress(task_id)).n_listed) in (("done", 6), ("finished", 6))
    await invariants.check(world)


async def test_a_soft_finish_waits_for_what_runs_and_a_hard_one_does_not(world: World) -> None:
    for name, qualifiers in (("soft", {"soft": True}), ("hard", {})):
        task_id = await world.submit(**TWENTY | {"name": name})
        await world.settle()
        (first,) = await world.claim()
        await world.report(first)
        (running,) = await world.claim()
        await ask(world, "finish", task_id=task_id, **qualifiers)
        await world.settle()
        assert (await world.status(task_id), sum((await hot(world, task_id)).values())) == ("finishing", 1)
        await world.report(running) if name == "soft" else await world.report(running, HOPELESS)
        await world.settle()
        assert (await world.status(task_id), (await world.progress(task_id)).n_finished) == ("finished", 2 if name == "soft" else 1)
    await invariants.check(world)


async def test_a_finish_of_a_merging_task_merges_what_has_run(world: World) -> None:
    merge = {"inputs": "out", "command": "cat %IN > %OUT", "outputs": {"whole": "whole.txt"}}
    task_id = await world.submit(**TWENTY, merge=merge)
    await world.settle()
    for job in await world.claim(5):
        await world.report(job)
    await ask(world, "finish", task_id=task_id, soft=True)
    ran = await world.run_all()
    assert [(job.kind, len(job.inputs)) for job in ran] == [("merge", 5)]
    assert (await world.status(task_id), (await world.progress(task_id)).n_finished) == ("finished", 5)
    await invariants.check(world)


async def test_an_empty_input_that_may_be_empty_is_done_and_else_broken_or_failed(world: World) -> None:
    dataset_id = await add_dataset(world, 0, is_open=True)
    may = await world.submit(**FILES | {"name": "may", "inputs": {"in": {"dataset": "user.ada:in", "may_be_empty": True}}})
    must = await world.submit(**FILES | {"name": "must"})
    await world.settle()
    await close_dataset(world, dataset_id)
    await world.settle()
    assert [await world.status(task_id) for task_id in (may, must)] == ["done", "failed"]
    assert [rule for _, rule, _ in await verdicts(world, may) + await verdicts(world, must)] == ["nothing_to_do", "no_input"]
    await invariants.check(world)


async def test_a_child_of_a_finished_parent_is_finished_and_done_after_its_retry(world: World) -> None:
    parent = await world.submit(**TWENTY)
    child = await world.submit(**CHILD)
    await run_with(world, {("run", serial): HOPELESS for serial in (18, 19, 20)}, most=37)
    assert await verdicts(world, parent) == [("finished", "partly_done", 85.0)]
    assert await verdicts(world, child) == [("finished", "input_incomplete", 100.0)]
    await ask(world, "retry", task_id=parent)
    await world.run_all()
    assert [await world.status(task_id) for task_id in (parent, child)] == ["done", "done"]
    assert [status for status, _, _ in await verdicts(world, child)] == ["finished", "done"]
    await invariants.check(world)


async def test_a_child_never_ends_before_its_parent_and_fails_with_it(world: World) -> None:
    parent = await world.submit(**TWENTY, goal={"percent": 90, "on_miss": "fail", "finish_early": False})
    child = await world.submit(**CHILD)
    await world.settle()
    first = await world.claim(2)
    for job in first:
        await world.report(job)
    await world.settle()
    assert (await hot(world, child)).get("activated", 0) == 2, "it starts on the first files"
    await run_with(world, THREE_FAIL)
    assert [await world.status(task_id) for task_id in (parent, child)] == ["failed", "failed"]
    assert (await verdicts(world, child))[0][1] == "parent_bad"
    await ask(world, "retry", task_id=parent)
    await world.run_all()
    assert [await world.status(task_id) for task_id in (parent, child)] == ["done", "done"], "a retry of the parent takes the child along"
    await invariants.check(world)


async def test_a_killed_parent_kills_its_children_and_theirs(world: World) -> None:
    parent = await world.submit(**TWENTY)
    child = await world.submit(**CHILD | {"outputs": {"out": "out.txt"}})
    grandchild = await world.submit(**CHILD | {"name": "grandchild", "inputs": {"in": {"task": "child", "output": "out"}}})
    await world.settle()
    await world.report((await world.claim())[0])
    await ask(world, "kill", task_id=parent)
    await world.settle()
    assert [await world.status(task_id) for task_id in (parent, child, grandchild)] == ["aborted"] * 3
    assert not await rows(world, "SELECT 1 FROM job")
    await invariants.check(world)


async def test_a_finishing_task_ends_although_a_command_that_is_refused_came_in_between(world: World) -> None:
    task_id = await world.submit(**TWENTY)
    await world.settle()
    (job,) = await world.claim()
    await ask(world, "finish", task_id=task_id, soft=True)
    await world.settle()
    await ask(world, "finish", task_id=task_id)
    await world.report(job)
    await aggregate(world.pool, world.services)
    assert await world.status(task_id) == "finishing", "nothing is decided while a command is pending"
    await world.settle()
    assert await world.status(task_id) == "finished"
