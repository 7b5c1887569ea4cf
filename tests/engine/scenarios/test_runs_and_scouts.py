"""Scenarios 1 to 3: a task that simply runs, one whose scouts say how to go on, and those whose scouts say that it makes no sense."""

import pytest

from tests.engine.play import FILES, HOPELESS, add_dataset, ask, ended, hot, outputs, rows, unit_statuses, value
from tests.engine.scenarios.stories import is_open, reason, verdicts, way
from tests.engine.test_scouts import ended_well, learned, measured, submitted
from tests.world import World


async def test_twenty_files_in_ten_jobs_are_done_and_the_output_is_closed(world: World) -> None:
    """Scenario 1. Ten jobs are made at once: no more than a large task has scouts, so that this one has none (docs/explanation/scouts.md).

    We have no container around an output dataset: a reader names the dataset itself.
    """
    await add_dataset(world, 20)
    task_id = await world.submit(**FILES | {"split": {"files_per_job": 2}, "outputs": {"out": "out.txt"}})
    await world.settle()
    assert (await world.status(task_id), await hot(world, task_id), await is_open(world, task_id)) == ("running", {"activated": 10}, True)
    ran = await world.run_all()
    assert sorted(file.name for job in ran for file in job.inputs) == [f"f{n:06d}" for n in range(20)]
    assert {len(job.inputs) for job in ran} == {2}
    assert (await unit_statuses(world, task_id), await ended(world, task_id)) == ({"finished": 20}, {"finished": 10})
    progress = await world.progress(task_id)
    assert (progress.n_listed, progress.n_finished, progress.n_failed) == (20, 20, 0)
    assert await verdicts(world, task_id) == [("done", "all_done", 100.0)]
    assert await way(world, task_id) == ["registered", "defined", "ready", "running", "prepared", "done"]
    assert await outputs(world, task_id) == sorted(job.outputs[0].name for job in ran)
    (dataset,) = await rows(world, "SELECT is_open, n_files FROM dataset WHERE producer_task_id = $1", task_id)
    assert (dataset["is_open"], dataset["n_files"]) == (False, 10)
    kept = "SELECT count(*) FROM replica JOIN file USING (file_id) JOIN dataset d USING (dataset_id) WHERE producer_task_id = $1"
    assert await value(world, kept, task_id) == 10


async def test_ten_scouts_run_first_and_five_of_them_let_all_jobs_run_with_what_was_measured(world: World) -> None:
    """Scenario 2, with the numbers of docs/explanation/scouts.md: 10 scouts from 101 jobs on, of which half must succeed."""
    task_id = await submitted(world, scouts={})
    assert (await world.status(task_id), await hot(world, task_id)) == ("scouting", {"activated": 10})
    scouts = await world.claim(100)
    assert sorted(file.name for job in scouts for file in job.inputs) == [f"f{n:06d}" for n in range(10)], "the first ten, and no other"
    assert {(job.resources.memory_mb, job.resources.wall_seconds) for job in scouts} == {(2000, 7200)}
    for n, job in enumerate(scouts[:4]):
        await ended_well(world, job, n)
        await world.settle()
    assert (await world.status(task_id), await hot(world, task_id)) == ("scouting", {"sent": 6}), "four of ten are not enough"
    await ended_well(world, scouts[4], 4)
    await world.settle()
    assert await way(world, task_id) == ["registered", "defined", "ready", "scouting", "scouted", "running"]
    assert await hot(world, task_id) == {"sent": 5, "activated": 990}
    found = await learned(world, task_id)
    assert found["memory_mb"] == 1672, "75th percentile of five is the fourth: 1520 x 1.1"
    assert found["wall_seconds"] == 2100, "1.5 times the longest"
    rest = await world.claim(100)
    assert {(job.resources.memory_mb, job.resources.wall_seconds) for job in rest} == {(1672, 2100)}, "and so are all that are left:"
    asked = await rows(world, "SELECT DISTINCT memory_mb, wall_seconds FROM job JOIN requirement USING (requirement_id) WHERE status = 'activated'")
    assert [tuple(row) for row in asked] == [(1672, 2100)]
    (kept,) = await measured(world, task_id)
    assert (kept.verdict, kept.n_jobs, kept.n_finished) == ("scouted", 10, 5)
    told = {quantity["name"]: quantity for quantity in kept.quantities}
    assert [told["memory_mb"][key] for key in ("job_ids", "before", "taken")] == [[scouts[3].job_id], 2000, "75th percentile"]
    assert told["cpu_seconds_per_event"]["value"] == 90.0, "900 s for ten events: told, and used for nothing"
    for n, job in enumerate(scouts[5:]):
        await ended_well(world, job, n)
    await world.settle()
    assert (await world.status(task_id), len(await measured(world, task_id))) == ("running", 1), "scouts that end later change nothing"


@pytest.mark.parametrize("n_well", [0, 2])
async def test_a_task_whose_scouts_fail_is_broken_and_says_so(world: World, n_well: int) -> None:
    """Scenario 3: none succeeded, or fewer than half of the five that were needed."""
    task_id = await submitted(world, 120)
    for n, job in enumerate(await world.claim(10)):
        await (ended_well(world, job, n) if n < n_well else world.report(job, HOPELESS))
    await world.settle()
    assert (await way(world, task_id))[-3:] == ["scouting", "tobroken", "broken"]
    text = "no scout job succeeded" if not n_well else "only 2 of 10 scout jobs succeeded, 5 are needed"
    assert ((await reason(world, task_id))["text"], (await measured(world, task_id))[0].verdict) == (text, "broken")
    assert (await hot(world, task_id), await is_open(world, task_id)) == ({}, False)
    assert set(await unit_statuses(world, task_id)) <= {"finished", "failed", "cancelled"}


@pytest.mark.parametrize("n_well", [3, 4])
async def test_between_the_two_thresholds_the_task_is_exhausted_and_waits_for_a_person(world: World, n_well: int) -> None:
    """Scenario 3, second half. What a retry does then is in test_scouts.py."""
    task_id = await submitted(world, 120)
    for n, job in enumerate(await world.claim(10)):
        await (ended_well(world, job, n) if n < n_well else world.report(job, HOPELESS))
    await world.settle()
    assert (await way(world, task_id))[-2:] == ["scouting", "exhausted"]
    assert ((await reason(world, task_id))["code"], await hot(world, task_id)) == ("scouts.few", {})
    await ask(world, "finish", task_id=task_id)
    await world.settle()
    assert (await world.status(task_id), (await world.progress(task_id)).n_finished) == ("finished", n_well)
