"""A task's whole life through all stages, with a pilot played by hand."""

from tests.world import World


async def test_a_task_of_events_becomes_jobs_that_cover_every_event_once_and_is_done(world: World) -> None:
    task_id = await world.submit()
    ran = await world.run_all()
    covered = [n for job in ran for n in range(job.traits.first_event or 0, (job.traits.first_event or 0) + (job.traits.n_events or 0))]
    assert sorted(covered) == list(range(1, 11))
    assert len({job.traits.seed for job in ran}) == 5
    assert await world.status(task_id) == "done"
    assert (await world.progress(task_id)).n_events_finished == 10


async def test_a_task_that_reads_anothers_output_starts_while_that_one_still_runs(world: World) -> None:
    await world.submit(name="first")
    second = await world.submit(
        name="second", inputs={"in": {"task": "first", "output": "out"}}, split={"files_per_job": 2}, program={"command": "cat %IN > %OUT"}
    )
    await world.settle()
    for _ in range(2):
        (job,) = await world.claim()
        await world.report(job)
    await world.settle()
    jobs = await world.claim(10)
    assert any(job.task_id == second for job in jobs), "two files are there, so the second task has a job"
    for job in jobs:
        await world.report(job)
    ran = await world.run_all()
    assert await world.status(second) == "done"
    assert {job.task_id for job in ran} == {second}
    assert (await world.progress(second)).n_finished == 5


async def test_merge_jobs_run_when_all_run_jobs_wait_and_end_their_sources(world: World) -> None:
    task_id = await world.submit(outputs={"part": "part.txt"}, merge={"inputs": "part", "command": "cat %IN > %OUT", "outputs": {"whole": "whole.txt"}})
    ran = await world.run_all()
    assert [job.kind for job in ran] == ["run"] * 5 + ["merge"]
    assert len(ran[-1].inputs) == 5
    assert await world.status(task_id) == "done"
    progress = await world.progress(task_id)
    assert (progress.n_finished, progress.n_events_finished, progress.has_jobs) == (5, 10, False)
