"""How tasks end (semantics 3.10) beside what the stories in scenarios/ tell of goals, finishes and children, with simulated pilots."""

from typing import Any

from pandawms.engine.aggregate.step import step as aggregate
from tests.engine import invariants
from tests.engine.play import FILES, HOPELESS, add_dataset, add_files, ask, close_dataset, run_with
from tests.engine.scenarios.stories import verdicts
from tests.world import World

TWENTY: dict[str, Any] = {"inputs": {"events": {"count": 20}}, "split": {"events_per_job": 1}, "retry": {"max_attempts": 1}}
THREE_FAIL = {("run", serial): HOPELESS for serial in (3, 7, 20)}


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
