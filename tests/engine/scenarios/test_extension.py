"""Scenario 6: a task whose inputs have grown is extended, and keeps what it has."""

from tests.engine.play import FILES, add_dataset, add_files, close_dataset, outputs, rows, told, unit_statuses
from tests.engine.scenarios.stories import is_open, verdicts, way
from tests.world import World


async def test_an_extension_with_another_dataset_and_another_split_keeps_the_old_outputs(world: World) -> None:
    """Scenario 6 (PanDA's incexec, our `extend`: docs/explanation/command.md). What is processed stays as it was cut; only what is new is cut anew."""
    await add_dataset(world, 4)
    await add_files(world, more := await add_dataset(world, 0, "more", is_open=True), 6, 10)
    await close_dataset(world, more)
    task_id = await world.submit(**FILES)
    first = await world.run_all()
    kept = await rows(world, "SELECT file_id, file.name FROM file JOIN dataset d USING (dataset_id) WHERE d.producer_task_id = $1 ORDER BY 1", task_id)
    begun = len(await way(world, task_id))
    patch = {"inputs": {"in": {"dataset": None, "datasets": ["user.ada:in", "user.ada:more"]}}, "split": {"files_per_job": 3}}
    assert await told(world, "extend", task_id, changes=patch) == "extended: its document has version 2; inputs are listed again"
    assert (await way(world, task_id))[begun:] == ["toincexec", "rerefine", "defined", "ready", "running"]
    assert await is_open(world, task_id)
    ran = await world.run_all()
    assert ([len(job.inputs) for job in first], [len(job.inputs) for job in ran]) == ([1] * 4, [3, 3])
    assert sorted(file.name for job in ran for file in job.inputs) == [f"f{n:06d}" for n in range(10, 16)], "the new ones alone"
    assert (await unit_statuses(world, task_id), await verdicts(world, task_id)) == ({"finished": 10}, [("done", "all_done", 100.0)] * 2)
    now = await rows(world, "SELECT file_id, file.name FROM file JOIN dataset d USING (dataset_id) WHERE d.producer_task_id = $1 ORDER BY 1", task_id)
    assert (now[:4], len(now)) == (kept, 6)
    assert await outputs(world, task_id) == sorted(job.outputs[0].name for job in (*first, *ran))
    assert not await is_open(world, task_id)
