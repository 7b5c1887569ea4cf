"""A task that reads another's output follows it: while it runs, when it fails, and when it is tried again."""

from typing import Any

from tests.engine import invariants
from tests.engine.play import FAILED, FILES, add_dataset, add_files, ask, close_dataset, hot
from tests.world import World

CHILD: dict[str, Any] = FILES | {"name": "child", "inputs": {"in": {"task": "t", "output": "out"}}}


async def test_a_child_that_still_runs_gets_what_a_retry_of_its_parent_adds(world: World) -> None:
    parent = await world.submit(retry={"max_attempts": 1})
    child = await world.submit(**CHILD)
    await world.settle()
    for job in await world.claim(5):
        await (world.report(job, FAILED) if job.traits.serial == 1 else world.report(job))
    await world.settle()
    assert (await world.status(parent), await hot(world, child)) == ("finished", {"activated": 4})
    await ask(world, "retry", task_id=parent)
    await world.run_all()
    assert (await world.status(parent), await world.status(child)) == ("done", "done")
    assert (await world.progress(child)).n_finished == 5
    await invariants.check(world)


async def test_a_child_takes_files_one_by_one_as_they_appear_without_waiting_for_the_next_look(world: World) -> None:
    await world.submit()
    child = await world.submit(**CHILD | {"split": {"files_per_job": 2}})
    await world.settle()
    jobs = await world.claim(5)
    seen = []
    for job in jobs:
        await world.report(job)
        await world.settle()
        seen.append((await hot(world, child)).get("activated", 0))
    assert seen == [0, 1, 1, 2, 3], "the last one alone, since no more will come"
    await world.run_all()
    assert await world.status(child) == "done"


async def test_a_job_takes_only_whole_groups_while_its_input_may_grow(world: World) -> None:
    dataset_id = await add_dataset(world, 10, is_open=True)
    task_id = await world.submit(**FILES | {"split": {"files_per_job": 3}})
    ran = await world.run_all()
    assert [len(job.inputs) for job in ran] == [3, 3, 3]
    assert await world.status(task_id) == "running"
    await add_files(world, dataset_id, 1, 10)
    assert await world.run_all() == []
    await close_dataset(world, dataset_id)
    (last,) = await world.run_all()
    assert [f.name for f in last.inputs] == ["f000009", "f000010"]
    assert (await world.status(task_id), (await world.progress(task_id)).n_finished) == ("done", 11)
    await invariants.check(world)


async def test_a_closed_input_is_cut_into_jobs_at_once_the_last_one_smaller(world: World) -> None:
    await add_dataset(world, 10)
    task_id = await world.submit(**FILES | {"split": {"files_per_job": 3}})
    await world.settle()
    assert await hot(world, task_id) == {"activated": 4}
    ran = await world.run_all()
    assert sorted(len(job.inputs) for job in ran) == [1, 3, 3, 3]
    assert sorted(f.name for job in ran for f in job.inputs) == [f"f{i:06d}" for i in range(10)]


async def test_a_dataset_that_is_closed_while_it_is_empty_ends_its_reader(world: World) -> None:
    dataset_id = await add_dataset(world, 0, is_open=True)
    task_id = await world.submit(**FILES)
    await world.settle()
    assert await world.status(task_id) == "ready"
    await close_dataset(world, dataset_id)
    await world.settle()
    assert await world.status(task_id) == "failed"
