"""A kill beside a merge: whatever the pilot of the merge job reports, and when, what is merged came from finished jobs and nothing is left over."""

import pytest

from pandawms.domain.codes import Code
from pandawms.domain.outcome import Outcome, outcome
from tests.engine import invariants
from tests.engine.play import FAILED, MERGE, beat, ended, hot, lose, outputs, told
from tests.world import World

STOPPED = outcome(Code.KILLED_BY_SERVER)


async def with_a_merge_under_way(world: World) -> int:
    """A task of five jobs that all wait for one merge job, which a pilot has."""
    task_id = await world.submit(merge=MERGE)
    await world.settle()
    for job in await world.claim(5):
        await world.report(job)
    await world.settle()
    return task_id


async def test_a_merge_that_is_reported_after_the_kill_counts(world: World) -> None:
    task_id = await with_a_merge_under_way(world)
    (merge,) = await world.claim()
    await told(world, "kill", task_id)
    assert (await hot(world, task_id), await world.status(task_id)) == ({"merging": 5, "sent": 1}, "aborting")
    assert (await world.report(merge)).verdict == "accepted"
    await world.settle()
    assert (await world.status(task_id), await ended(world, task_id), await hot(world, task_id)) == ("aborted", {"finished": 6}, {})
    assert len(await outputs(world, task_id, "whole")) == 1
    await invariants.check(world)


@pytest.mark.parametrize("how", [STOPPED, FAILED])
async def test_a_merge_that_stops_takes_its_sources_along_and_is_not_tried_again(world: World, how: Outcome) -> None:
    task_id = await with_a_merge_under_way(world)
    (merge,) = await world.claim()
    await told(world, "kill", task_id)
    assert (await beat(world, merge)).verdict == "kill"
    await world.report(merge, how)
    await world.settle()
    assert (await world.status(task_id), await ended(world, task_id), await hot(world, task_id)) == ("aborted", {"cancelled": 5, "failed": 1}, {})
    await invariants.check(world)


async def test_a_merge_whose_pilot_is_lost_after_the_kill_holds_nothing_back(world: World) -> None:
    task_id = await with_a_merge_under_way(world)
    await world.claim()
    await told(world, "kill", task_id)
    await lose(world)
    await world.settle()
    assert (await world.status(task_id), await hot(world, task_id)) == ("aborted", {})
    await invariants.check(world)


async def test_a_merge_job_that_nobody_has_is_killed_with_its_sources(world: World) -> None:
    task_id = await with_a_merge_under_way(world)
    await told(world, "kill", task_id)
    assert (await world.status(task_id), await ended(world, task_id), await hot(world, task_id)) == ("aborted", {"cancelled": 6}, {})
    await invariants.check(world)
