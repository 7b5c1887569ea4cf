"""Scenario 10: a task that reads another's output starts early, never ends before it, and shares its fate."""

from tests.engine.play import FILES, HOPELESS, add_dataset, answer, ask, hot, outputs, run_with
from tests.engine.scenarios.stories import CHILD, TWENTY, reason, verdicts, way
from tests.world import World


async def test_a_child_starts_on_the_first_file_and_ends_after_its_parent(world: World) -> None:
    """Scenario 10. Early start is what every task does here that names another's output (docs/explanation/define.md); PanDA asks for it (noWaitParent)."""
    await add_dataset(world, 20)
    parent = await world.submit(**TWENTY)
    child = await world.submit(**CHILD | {"split": {"files_per_job": 2}})
    await world.settle()
    assert await hot(world, child) == {}
    jobs = await world.claim(20)
    await world.report(jobs[0])
    await world.settle()
    assert await hot(world, child) == {}, "half a job's files"
    await world.report(jobs[1])
    await world.settle()
    (first,) = await world.claim()
    assert (first.task_id, sorted(file.name for file in first.inputs)) == (child, await outputs(world, parent))
    for job in jobs[2:19]:
        await world.report(job)
    await world.report(first)
    ran = [first, *await world.run_all()]
    assert (len(ran), await hot(world, child), await world.status(child)) == (9, {}, "running"), "all that it could do is done, and its parent runs"
    assert await verdicts(world, child) == []
    await world.report(jobs[19])
    ran += await world.run_all()
    assert [await verdicts(world, each) for each in (parent, child)] == [[("done", "all_done", 100.0)]] * 2
    assert sorted(file.name for job in ran for file in job.inputs) == await outputs(world, parent), "each file once"


async def test_a_child_of_a_finished_parent_is_finished_and_done_after_the_retry_of_the_parent(world: World) -> None:
    """Scenario 10: a retry of the parent takes the child along."""
    await add_dataset(world, 20)
    parent = await world.submit(**TWENTY)
    child = await world.submit(**CHILD)
    await run_with(world, {("run", serial): HOPELESS for serial in (18, 19, 20)}, most=37)
    assert await verdicts(world, parent) == [("finished", "partly_done", 85.0)]
    assert await verdicts(world, child) == [("finished", "input_incomplete", 100.0)]
    retried = await ask(world, "retry", task_id=parent)
    ran = await world.run_all()
    assert await answer(world, retried) == "retried: 3 inputs are open again; 1 task that reads its outputs asked, too"
    assert sorted(job.task_id for job in ran) == [parent] * 3 + [child] * 3, "the three alone, in both"
    for task_id in (parent, child):
        assert [status for status, _, _ in await verdicts(world, task_id)] == ["finished", "done"]


async def test_a_child_of_a_parent_that_missed_its_goal_has_failed_and_follows_its_retry(world: World) -> None:
    """Scenario 10. The child fails and is not killed, as in PanDA: a task that was aborted takes no retry (docs/adr/0037)."""
    await add_dataset(world, 20)
    parent = await world.submit(**TWENTY, goal={"percent": 90, "on_miss": "fail", "finish_early": False})
    child = await world.submit(**CHILD)
    await run_with(world, {("run", serial): HOPELESS for serial in (3, 7, 20)})
    assert await verdicts(world, parent) == [("failed", "goal_missed", 85.0)]
    assert [(status, rule) for status, rule, _ in await verdicts(world, child)] == [("failed", "parent_bad")]
    await ask(world, "retry", task_id=parent)
    await world.run_all()
    assert [await world.status(task_id) for task_id in (parent, child)] == ["done", "done"]
    assert (await world.progress(child)).n_finished == 20


async def test_a_parent_of_which_nothing_is_there_fails_all_its_descendants_and_its_retry_makes_them_done(world: World) -> None:
    """Scenario 10, down to the grandchild."""
    parent = await world.submit(retry={"max_attempts": 1})
    child = await world.submit(**CHILD)
    grandchild = await world.submit(**FILES | {"name": "grandchild", "inputs": {"in": {"task": "child", "output": "out"}}})
    await run_with(world, {("run", serial): HOPELESS for serial in range(1, 6)})
    assert [await world.status(task_id) for task_id in (parent, child, grandchild)] == ["failed"] * 3
    assert (await reason(world, child))["text"] == "there was no input"
    await ask(world, "retry", task_id=parent)
    await world.run_all()
    assert [await world.status(task_id) for task_id in (parent, child, grandchild)] == ["done"] * 3
    assert (await world.progress(grandchild)).n_finished == 5


async def test_a_killed_parent_kills_its_children_and_theirs(world: World) -> None:
    """Scenario 10: what the child has running is ended with it."""
    await add_dataset(world, 20)
    parent = await world.submit(**TWENTY)
    child = await world.submit(**CHILD)
    grandchild = await world.submit(**CHILD | {"name": "grandchild", "inputs": {"in": {"task": "child", "output": "out"}}})
    await world.settle()
    await world.report((await world.claim())[0])
    await world.settle()
    assert await hot(world, child) == {"activated": 1}
    await ask(world, "kill", task_id=parent)
    await world.settle()
    assert [(await way(world, task_id))[-1] for task_id in (parent, child, grandchild)] == ["aborted"] * 3
    assert [await hot(world, task_id) for task_id in (parent, child, grandchild)] == [{}] * 3
