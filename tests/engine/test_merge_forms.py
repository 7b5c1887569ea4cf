"""How outputs are merged: by size or number, where they are, and never seen before."""

from pandawms.domain.outcome import SUCCESS
from tests.engine import invariants
from tests.engine.play import FAILED, HOPELESS, MERGE, ended, outputs, rows, run_with, unit_statuses, value
from tests.engine.test_builds import add_queue, claim, report
from tests.world import World, report_of

MB = 2**20


async def test_outputs_are_merged_by_size_as_soon_as_a_group_is_full(world: World) -> None:
    task_id = await world.submit(merge=MERGE | {"mb_per_job": 10})
    await world.settle()
    jobs = await world.claim(5)
    for job, size_mb in zip(jobs, (4, 4, 4, 25, 3), strict=True):
        told = report_of(job)
        (written,) = told.outputs
        await world.report(job, outputs=(type(written)(written.stream, written.name, size_mb * MB, written.adler32, written.guid),))
        await world.settle()
        if size_mb == 25:
            merged = "SELECT count(*) AS n FROM job_file WHERE task_id = $1 AND role = 'input' AND task_file_id IS NULL GROUP BY job_id"
            early = await rows(world, merged, task_id)
            assert sorted(row["n"] for row in early) == [1, 1, 2], "4 + 4, then 4, then 25 alone; what comes last may still get company"
    merges = await world.run_all()
    assert sorted(len(job.inputs) for job in merges) == [1, 1, 1, 2]
    assert await world.status(task_id) == "done"
    await invariants.check(world)


async def test_outputs_are_merged_where_they_are(world: World) -> None:
    other = await add_queue(world, "other")
    task_id = await world.submit(inputs={"events": {"count": 20}}, merge=MERGE)
    await world.settle()
    written: dict[int, set[str]] = {}
    for queue_id in (world.queue_id, other):
        jobs = await claim(world, queue_id)
        assert {job.kind for job in jobs} == {"run"}
        written[queue_id] = {job.outputs[0].name for job in jobs}
        for job in jobs:
            await report(world, queue_id, job)
    await world.settle()
    for queue_id in (world.queue_id, other):
        (merge,) = await claim(world, queue_id)
        assert (merge.kind, {file.name for file in merge.inputs}) == ("merge", written[queue_id])
        assert {len(file.sources) for file in merge.inputs} == {1}
        await report(world, queue_id, merge)
    await world.settle()
    assert (await world.status(task_id), len(await outputs(world, task_id, "whole"))) == ("done", 2)
    await invariants.check(world)


async def test_what_waits_to_be_merged_is_in_no_result_at_any_moment(world: World) -> None:
    """At every moment the result holds exactly what finished merge jobs wrote."""
    task_id = await world.submit(outputs={"out": "o.txt", "log": "l.txt"}, merge=MERGE | {"files_per_job": 2})
    results = (
        "SELECT count(*) FROM file f JOIN task_dataset td USING (dataset_id) JOIN dataset d USING (dataset_id) "
        "WHERE td.task_id = $1 AND td.role = 'output' AND NOT d.is_transient AND f.name NOT IN ("
        "SELECT f.name FROM job_file o JOIN job_archive a USING (job_id) JOIN file f USING (file_id) WHERE o.role = 'output' AND a.status = 'finished')"
    )
    outcomes = [SUCCESS, SUCCESS, FAILED, SUCCESS]
    n_ran = 0
    await world.settle()
    while jobs := await world.claim():
        await world.report(jobs[0], outcomes[n_ran % 4])
        n_ran += 1
        assert await value(world, results, task_id) == 0
        await world.settle()
        assert await value(world, results, task_id) == 0
    assert await world.status(task_id) in ("done", "finished")
    await invariants.check(world)


async def test_a_merge_that_fails_for_good_opens_the_inputs_of_its_files_again(world: World) -> None:
    """Semantics, scenario 21: the files are not merged, their jobs have failed, and other jobs make them anew while there are attempts."""
    task_id = await world.submit(merge=MERGE | {"files_per_job": 3}, retry={"max_attempts": 2})
    await world.settle()
    for job in await world.claim(5):
        await world.report(job)
    await world.settle()
    bad, good = sorted(await world.claim(5), key=lambda job: -len(job.inputs))
    await world.report(good)
    await world.report(bad, HOPELESS)
    await world.settle()
    assert await unit_statuses(world, task_id) == {"finished": 2, "running": 3}
    assert await ended(world, task_id) == {"failed": 4, "finished": 3}
    kept = await value(world, "SELECT count(*) FROM job_file WHERE task_id = $1 AND role = 'output' AND status = 'notmerged'", task_id)
    assert (kept, len(await outputs(world, task_id, "whole"))) == (3, 1)
    ran = await world.run_all()
    assert [(job.kind, job.attempt) for job in ran] == [("run", 2)] * 3 + [("merge", 1)]
    assert (await world.status(task_id), len(await outputs(world, task_id, "whole"))) == ("done", 2)
    await invariants.check(world)


async def test_when_no_attempt_is_left_the_inputs_of_a_merge_that_failed_have_failed(world: World) -> None:
    task_id = await world.submit(merge=MERGE | {"files_per_job": 3}, retry={"max_attempts": 1})
    await run_with(world, {("merge", 1): HOPELESS})
    assert (await world.status(task_id), await unit_statuses(world, task_id)) == ("finished", {"finished": 2, "failed": 3})
    await invariants.check(world)
