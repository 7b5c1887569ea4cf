"""Scouts (semantics 3.6) beside the stories in scenarios/test_runs_and_scouts.py, with simulated pilots."""

from dataclasses import replace
from typing import Any

import pytest

from pandawms.domain.outcome import SUCCESS
from pandawms.engine.services import ScoutLimits
from pandawms.store import measures
from pandawms.wire.pilot.claim import JobSpec
from tests.engine import invariants
from tests.engine.play import FAILED, FILES, HOPELESS, MERGE, add_dataset, ask, hot, rows, value
from tests.world import World

LARGE: dict[str, Any] = FILES | {
    "retry": {"max_attempts": 1}, "outputs": {"out": "out.txt"}, "resources": {"memory_mb": 2000, "wall_seconds": 7200}, "scouts": {"jobs": 10},
}  # fmt: skip


async def submitted(world: World, n_files: int = 1000, **changes: Any) -> int:
    """A task over so many files, of which the engine has made what it makes at first."""
    await add_dataset(world, n_files)
    task_id = await world.submit(**LARGE | changes)
    await world.settle()
    return task_id


async def ended_well(world: World, job: JobSpec, n: int) -> None:
    """Ends the n-th scout, which takes 1000 + 100 n seconds and 400 + 40 n MB."""
    await world.report(job, SUCCESS, wall_seconds=1000.0 + 100 * n, cpu_seconds=900.0, max_rss_mb=1400.0 + 40 * n)


async def learned(world: World, task_id: int) -> dict[str, Any]:
    """What a task has learned."""
    found: dict[str, Any] = await value(world, "SELECT learned FROM task WHERE task_id = $1", task_id)
    return found


async def measured(world: World, task_id: int) -> list[measures.Measurement]:
    """The measurements that were made of a task."""
    async with world.pool.acquire() as connection:
        return await measures.of_task(connection, task_id)


async def test_a_hundred_more_jobs_are_measured_again(world: World) -> None:
    task_id = await submitted(world, 200)
    for n, job in enumerate(await world.claim(10)):
        await ended_well(world, job, n)
    await world.settle()
    for job in await world.claim(100):
        await world.report(job, SUCCESS, wall_seconds=2000.0, cpu_seconds=900.0, max_rss_mb=1900.0)
    await world.settle()
    first, second = await measured(world, task_id)
    assert (first.verdict, second.verdict, second.number) == ("scouted", "measured", 2)
    assert (await learned(world, task_id))["memory_mb"] == 2090
    await world.run_all()
    assert len(await measured(world, task_id)) == 2
    await invariants.check(world)


async def test_failed_scouts_are_tried_again_before_anything_is_judged(world: World) -> None:
    task_id = await submitted(world, retry={"max_attempts": 2})
    for job in await world.claim(10):
        await world.report(job, FAILED)
    await world.settle()
    assert (await world.status(task_id), await hot(world, task_id)) == ("scouting", {"activated": 10})
    for n, job in enumerate(await world.claim(10)):
        await ended_well(world, job, n)
    await world.settle()
    assert await world.status(task_id) == "running"
    await invariants.check(world)


async def test_who_retries_an_exhausted_task_lets_it_run_with_what_was_measured(world: World) -> None:
    task_id = await submitted(world, 120)
    for n, job in enumerate(await world.claim(10)):
        await (ended_well(world, job, n) if n < 4 else world.report(job, HOPELESS))
    await world.settle()
    assert await world.status(task_id) == "exhausted"
    await ask(world, "retry", task_id=task_id)
    await world.settle()
    assert await world.status(task_id) == "running"
    await world.run_all()
    assert (await world.status(task_id), (await world.progress(task_id)).n_finished) == ("done", 120)
    await invariants.check(world)


async def test_too_much_memory_exhausts_the_task_for_that_reason(world: World) -> None:
    task_id = await submitted(world)
    for job in await world.claim(10):
        await world.report(job, SUCCESS, wall_seconds=1000.0, cpu_seconds=900.0, max_rss_mb=4500.0)
    await world.settle()
    (row,) = await rows(world, "SELECT status, reason FROM task WHERE task_id = $1", task_id)
    assert (row["status"], row["reason"]["code"]) == ("exhausted", "scouts.memory")
    assert "4000 MB" in row["reason"]["text"]
    assert not await rows(world, "SELECT 1 FROM allocation WHERE task_id = $1", task_id)
    await invariants.check(world)


async def test_a_site_with_more_memory_lets_the_task_go_on(world: World) -> None:
    roomy = replace(world.services.options, scouts=ScoutLimits(memory_mb_per_core=8000))
    world = replace(world, services=replace(world.services, options=roomy))
    task_id = await submitted(world)
    for job in await world.claim(10):
        await world.report(job, SUCCESS, wall_seconds=1000.0, cpu_seconds=900.0, max_rss_mb=4500.0)
    await world.settle()
    assert await world.status(task_id) in ("scouted", "running")


async def test_fixed_resources_are_measured_and_stay(world: World) -> None:
    task_id = await submitted(world, resources={"memory_mb": 2000, "wall_seconds": 7200, "is_fixed": True})
    for n, job in enumerate(await world.claim(5)):
        await ended_well(world, job, n)
    await world.settle()
    assert "memory_mb" not in await learned(world, task_id)
    assert (await measured(world, task_id))[0].quantities
    rest = await rows(world, "SELECT DISTINCT memory_mb, wall_seconds FROM job JOIN requirement USING (requirement_id) WHERE status = 'activated'")
    assert [tuple(row) for row in rest] == [(2000, 7200)]


async def test_an_avalanche_ends_the_scouting_and_what_has_run_is_measured(world: World) -> None:
    task_id = await submitted(world)
    await ended_well(world, (await world.claim())[0], 0)
    await ask(world, "avalanche", task_id=task_id)
    await world.settle()
    assert await world.status(task_id) == "running"
    assert [found.verdict for found in await measured(world, task_id)] == ["measured"]
    await invariants.check(world)


async def test_scouts_that_wait_for_their_merge_have_succeeded(world: World) -> None:
    task_id = await submitted(world, 120, merge=MERGE)
    for n, job in enumerate(await world.claim(5)):
        await ended_well(world, job, n)
    await world.settle()
    assert await world.status(task_id) == "running"
    assert (await learned(world, task_id))["memory_mb"] == 1672
    await world.run_all()
    assert await world.status(task_id) == "done"
    await invariants.check(world)


@pytest.mark.parametrize("changes", [{"scouts": {"jobs": 0}}, {"scouts": {"jobs": 10, "from_jobs": 1001}}])
async def test_small_tasks_and_those_that_want_none_have_no_scouts(world: World, changes: dict[str, Any]) -> None:
    task_id = await submitted(world, **changes)
    assert (await world.status(task_id), await hot(world, task_id)) == ("running", {"activated": 1000})


async def test_a_task_that_may_have_fewer_jobs_than_make_scouts_worth_while_has_none(world: World) -> None:
    split, scouts = {"files_per_job": 2, "max_jobs": 2}, {"jobs": 3, "success": 1.0, "from_jobs": 3}
    task_id = await submitted(world, 7, split=split, scouts=scouts)
    assert (await world.status(task_id), await hot(world, task_id)) == ("running", {"activated": 2})
    await world.run_all()
    assert (await world.status(task_id), (await world.progress(task_id)).n_finished) == ("done", 4)
    await invariants.check(world)


async def test_scouts_that_end_while_the_task_is_paused_are_judged_when_it_goes_on(world: World) -> None:
    task_id = await submitted(world, 120)
    scouts = await world.claim(10)
    await ask(world, "pause", task_id=task_id)
    await world.settle()
    for n, job in enumerate(scouts):
        await ended_well(world, job, n)
    await world.settle()
    assert await world.status(task_id) == "paused"
    await ask(world, "resume", task_id=task_id)
    await world.settle()
    assert await world.status(task_id) == "running"
    assert [found.verdict for found in await measured(world, task_id)] == ["scouted"]
    await invariants.check(world)


async def test_a_task_that_was_finished_while_it_scouted_runs_without_scouts_when_it_is_retried(world: World) -> None:
    task_id = await submitted(world, 120)
    await ended_well(world, (await world.claim())[0], 0)
    await ask(world, "finish", task_id=task_id)
    await world.settle()
    assert await world.status(task_id) == "finished"
    await ask(world, "retry", task_id=task_id)
    await world.run_all()
    assert (await world.status(task_id), (await world.progress(task_id)).n_finished) == ("done", 120)
    await invariants.check(world)
