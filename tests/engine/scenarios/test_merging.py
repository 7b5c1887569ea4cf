"""Scenario 21: what waits to be merged is no result, a merge that fails opens its inputs again, and files are merged where they are."""

from pandawms.domain.outcome import SUCCESS
from tests.engine.play import FAILED, HOPELESS, MERGE, ended, outputs, run_with, unit_statuses, value
from tests.engine.scenarios.stories import claim_all, farm
from tests.world import World


async def test_what_waits_to_be_merged_is_in_no_result_at_any_moment(world: World) -> None:
    """Scenario 21: at every moment the result holds exactly what finished merge jobs wrote, other outputs of the same jobs included."""
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
    merged = await value(world, "SELECT count(*) FROM job_archive JOIN job_spec USING (job_id) WHERE kind = 'merge' AND status = 'finished'")
    assert len(await outputs(world, task_id, "whole")) == merged > 0
    assert await value(world, "SELECT is_transient FROM dataset JOIN task_dataset td USING (dataset_id) WHERE td.task_id = $1 AND stream = 'out'", task_id)


async def test_a_merge_that_fails_for_good_opens_the_inputs_of_its_files_again(world: World) -> None:
    """Scenario 21: the files are not merged, their jobs have failed, and other jobs make them anew while there are attempts."""
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
    assert not {file.name for file in ran[-1].inputs} & {file.name for file in bad.inputs}, "what was not merged never is"
    assert (await world.status(task_id), len(await outputs(world, task_id, "whole"))) == ("done", 2)


async def test_when_no_attempt_is_left_the_inputs_of_a_merge_that_failed_have_failed(world: World) -> None:
    """Scenario 21, at its end."""
    task_id = await world.submit(merge=MERGE | {"files_per_job": 3}, retry={"max_attempts": 1})
    await run_with(world, {("merge", 1): HOPELESS})
    assert (await world.status(task_id), await unit_statuses(world, task_id)) == ("finished", {"finished": 2, "failed": 3})


async def test_outputs_are_merged_where_they_are(world: World) -> None:
    """Scenario 21: the merge job of a queue's outputs is that queue's, reads these and no others, and a failed one is tried again there."""
    far = await farm(world, "far")
    task_id = await world.submit(inputs={"events": {"count": 20}}, merge=MERGE)
    await world.settle()
    written: dict[int, set[str]] = {}
    for queue in (world, far):
        jobs = await claim_all(queue)
        assert {job.kind for job in jobs} == {"run"}
        written[queue.queue_id] = {job.outputs[0].name for job in jobs}
        for job in jobs:
            await queue.report(job)
    await world.settle()
    for queue, outcome in ((world, SUCCESS), (far, FAILED), (far, SUCCESS)):
        (merge,) = await claim_all(queue)
        assert (merge.kind, {file.name for file in merge.inputs}) == ("merge", written[queue.queue_id])
        assert {len(file.sources) for file in merge.inputs} == {1}
        await queue.report(merge, outcome)
        await world.settle()
    assert (await world.status(task_id), len(await outputs(world, task_id, "whole"))) == ("done", 2)
