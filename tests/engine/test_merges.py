"""Outputs that are merged: their jobs wait, and end as their merge job does."""

import asyncio
from typing import Any

from pandawms.domain.task import TaskEvent
from pandawms.engine.aggregate.step import step as aggregate
from pandawms.store import tasks
from tests.engine import invariants
from tests.engine.play import FAILED, HOPELESS, MERGE, ended, hot, lose, outputs, rows, run_with, value
from tests.waiting import until_waits_for
from tests.world import World


async def submit(world: World, **changes: Any) -> int:
    """A task of five jobs whose outputs are merged."""
    return await world.submit(**{"outputs": {"out": "o.txt"}, "merge": MERGE} | changes)


async def run_first(world: World, n: int) -> None:
    """Runs n jobs well."""
    await world.settle()
    for job in await world.claim(n):
        await world.report(job)
    await world.settle()


async def test_a_merge_job_that_failed_twice_is_tried_a_third_time_with_the_same_files(world: World) -> None:
    task_id = await submit(world)
    await run_first(world, 5)
    merged = []
    for outcome in (FAILED, FAILED, None):
        (job,) = await world.claim()
        merged.append(job)
        await (world.report(job, outcome) if outcome else world.report(job))
        await world.settle()
    assert [(job.kind, job.attempt) for job in merged] == [("merge", 1), ("merge", 2), ("merge", 3)]
    assert len({tuple(f.name for f in job.inputs) for job in merged}) == 1
    assert len({job.outputs[0].name for job in merged}) == 3
    assert await world.status(task_id) == "done"
    assert await outputs(world, task_id, "whole") == [merged[-1].outputs[0].name]
    await invariants.check(world)


async def test_what_has_run_is_merged_while_its_task_is_pending(world: World) -> None:
    task_id = await submit(world, merge=MERGE | {"files_per_job": 2})
    await run_first(world, 1)
    (job,) = await world.claim()
    async with world.pool.acquire() as connection:
        assert await tasks.move(connection, task_id, TaskEvent.POSTPONE, "test") is not None
    await world.report(job)
    await world.settle()
    jobs = await world.claim(5)
    assert ([job.kind for job in jobs], await world.status(task_id)) == (["run", "run", "run", "merge"], "pending")
    for job in jobs:
        await world.report(job)
    await run_with(world, {})
    assert await world.status(task_id) == "done"
    await invariants.check(world)


async def test_a_merge_that_fails_for_good_fails_its_sources_and_the_task(world: World) -> None:
    task_id = await submit(world, retry={"max_attempts": 1})
    await run_with(world, {("merge", 1): FAILED})
    assert await world.status(task_id) == "failed"
    assert await ended(world, task_id) == {"failed": 6}
    assert await value(world, "SELECT count(*) FROM job_archive WHERE message LIKE 'merge failed: exit 1'") == 5
    assert await outputs(world, task_id, "whole") == []
    await invariants.check(world)


async def test_sources_whose_merge_failed_are_run_again_while_they_have_attempts(world: World) -> None:
    task_id = await submit(world, retry={"max_attempts": 2})
    await run_with(world, {("merge", 1): HOPELESS})
    assert await world.status(task_id) == "done"
    assert await ended(world, task_id) == {"failed": 6, "finished": 6}
    assert len(await outputs(world, task_id, "whole")) == 1
    await invariants.check(world)


async def test_one_group_that_fails_for_good_leaves_the_task_finished_with_the_others(world: World) -> None:
    task_id = await submit(world, merge=MERGE | {"files_per_job": 2}, retry={"max_attempts": 1})
    await run_with(world, {("merge", 2): FAILED})
    assert await world.status(task_id) == "finished"
    progress = await world.progress(task_id)
    assert (progress.n_finished, progress.n_failed) == (3, 2)
    await invariants.check(world)


async def test_groups_are_full_but_for_the_last_and_hold_every_file_once(world: World) -> None:
    task_id = await submit(world, inputs={"events": {"count": 18}}, merge=MERGE | {"files_per_job": 4})
    ran = await world.run_all()
    merges = [job for job in ran if job.kind == "merge"]
    assert sorted(len(job.inputs) for job in merges) == [1, 4, 4]
    assert len({f.name for job in merges for f in job.inputs}) == 9
    assert await world.status(task_id) == "done"
    await invariants.check(world)


async def test_a_full_group_is_merged_while_other_jobs_still_run(world: World) -> None:
    task_id = await submit(world, merge=MERGE | {"files_per_job": 2})
    await run_first(world, 2)
    kinds = [job.kind for job in await world.claim(10)]
    assert sorted(kinds) == ["merge", "run", "run", "run"]
    assert await hot(world, task_id) == {"merging": 2, "sent": 4}


async def test_what_failed_for_good_is_left_out_of_the_merge(world: World) -> None:
    task_id = await submit(world)
    ran = await run_with(world, {("run", 3): HOPELESS})
    assert (ran[-1].kind, len(ran[-1].inputs)) == ("merge", 4)
    assert await world.status(task_id) == "finished"
    await invariants.check(world)


async def test_the_last_job_that_is_given_up_though_it_had_attempts_lets_the_others_be_merged(world: World) -> None:
    task_id = await submit(world, retry={"max_attempts": 3, "max_failures": 1})
    ran = await run_with(world, {("run", 5): FAILED})
    assert (len(ran), [job.kind for job in ran[-2:]], len(ran[-1].inputs)) == (6, ["run", "merge"], 4)
    assert await world.status(task_id) == "finished"
    await invariants.check(world)


async def test_a_merge_job_that_was_lost_is_made_again(world: World) -> None:
    task_id = await submit(world)
    await run_first(world, 5)
    (first,) = await world.claim()
    await lose(world)
    assert (await world.report(first)).verdict == "refused"
    (second,) = await world.run_all()
    assert (second.kind, second.attempt, await world.status(task_id)) == ("merge", 2, "done")
    await invariants.check(world)


async def test_what_a_job_in_merging_used_is_kept_until_it_ends(world: World) -> None:
    await submit(world)
    await run_first(world, 5)
    await world.run_all()
    used = await rows(world, "SELECT a.wall_seconds FROM job_archive a JOIN job_spec s USING (job_id) WHERE s.kind = 'run'")
    assert [row["wall_seconds"] for row in used] == [1.5] * 5
    assert await value(world, "SELECT count(*) FROM job_usage") == 0


async def test_the_report_of_a_job_in_merging_that_is_sent_again_is_known(world: World) -> None:
    await submit(world)
    await world.settle()
    (job,) = await world.claim()
    assert [(await world.report(job)).verdict for _ in range(2)] == ["accepted", "repeated"]


async def test_a_task_whose_every_job_failed_merges_nothing(world: World) -> None:
    task_id = await submit(world, retry={"max_attempts": 1})
    ran = await run_with(world, {("run", serial): FAILED for serial in range(1, 6)})
    assert ([job.kind for job in ran], await world.status(task_id)) == (["run"] * 5, "failed")


async def test_other_outputs_of_jobs_that_wait_for_a_merge_are_seen_only_when_it_has_succeeded(world: World) -> None:
    task_id = await submit(world, outputs={"out": "o.txt", "log": "l.txt"})
    await run_first(world, 5)
    assert await outputs(world, task_id, "log") == []
    await world.run_all()
    assert len(await outputs(world, task_id, "log")) == 5
    await invariants.check(world)


async def test_other_outputs_of_jobs_whose_merge_failed_are_never_seen(world: World) -> None:
    task_id = await submit(world, outputs={"out": "o.txt", "log": "l.txt"}, retry={"max_attempts": 2})
    await run_with(world, {("merge", 1): HOPELESS})
    assert await world.status(task_id) == "done"
    assert {name.split(".")[3] for name in await outputs(world, task_id, "log")} == {"2"}, "the second attempts only"
    await invariants.check(world)


async def test_an_output_that_comes_while_the_others_are_grouped_is_merged_with_them(world: World) -> None:
    task_id = await submit(world)
    await world.settle()
    *early, late = await world.claim(5)
    for job in early:
        await world.report(job)
    async with world.pool.acquire() as blocker, blocker.transaction():
        await blocker.fetch("SELECT 1 FROM job_file WHERE status = 'ready' FOR UPDATE")
        grouping = asyncio.create_task(aggregate(world.pool, world.services))
        await until_waits_for(world.pool, blocker.get_server_pid())
        await world.report(late)
    await grouping
    (merge,) = await world.run_all()
    assert (merge.kind, len(merge.inputs), await world.status(task_id)) == ("merge", 5, "done")
