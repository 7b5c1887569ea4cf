"""A unit that failed is tried again by a new job, as often as the task allows and never more."""

from pandawms.domain.job import JobStatus
from tests.engine import invariants
from tests.engine.play import FAILED, FILES, HOPELESS, add_dataset, ended, outputs, rows, run_with, value
from tests.world import World


async def test_a_unit_is_tried_up_to_max_attempts_and_the_task_is_finished_without_it(world: World) -> None:
    task_id = await world.submit(retry={"max_attempts": 3})
    ran = await run_with(world, {("run", 2): FAILED})
    assert [job.attempt for job in ran if job.traits.serial == 2] == [1, 2, 3]
    assert await world.status(task_id) == "finished"
    progress = await world.progress(task_id)
    assert (progress.n_finished, progress.n_failed, progress.n_events_finished) == (4, 1, 8)
    assert await value(world, "SELECT failed_attempts FROM task_file WHERE number = 2") == 3
    await invariants.check(world)


async def test_a_task_of_which_nothing_finished_has_failed(world: World) -> None:
    task_id = await world.submit(retry={"max_attempts": 2})
    ran = await run_with(world, {("run", serial): FAILED for serial in range(1, 6)})
    assert len(ran) == 10
    assert await world.status(task_id) == "failed"
    assert await value(world, "SELECT is_open FROM dataset WHERE producer_task_id = $1", task_id) is False


async def test_an_outcome_that_no_retry_can_mend_gets_no_second_attempt(world: World) -> None:
    task_id = await world.submit()
    ran = await run_with(world, {("run", 3): HOPELESS})
    assert [job.attempt for job in ran if job.traits.serial == 3] == [1]
    assert await world.status(task_id) == "finished"
    await invariants.check(world)


async def test_a_retry_is_a_new_job_with_the_same_events_and_seed_and_another_output(world: World) -> None:
    await world.submit()
    ran = await run_with(world, {("run", 4): FAILED}, most=20)
    first, second, third = (job for job in ran if job.traits.serial == 4)
    assert (first.attempt, second.attempt, third.attempt) == (1, 2, 3)
    assert first.traits == second.traits == third.traits
    assert len({job.outputs[0].name for job in (first, second, third)}) == 3
    lineage = {row["job_id"]: row["previous_job_id"] for row in await rows(world, "SELECT job_id, previous_job_id FROM job_spec")}
    assert (lineage[first.job_id], lineage[second.job_id], lineage[third.job_id]) == (None, first.job_id, second.job_id)


async def test_only_the_attempt_that_succeeded_is_in_the_output(world: World) -> None:
    task_id = await world.submit(inputs={"events": {"count": 2}})
    await world.settle()
    (first,) = await world.claim()
    await world.report(first, FAILED)
    (second,) = await world.run_all()
    assert await outputs(world, task_id) == [second.outputs[0].name] != [first.outputs[0].name]
    assert await world.status(task_id) == "done"


async def test_a_success_that_names_too_few_outputs_is_a_failure(world: World) -> None:
    task_id = await world.submit(outputs={"out": "out.txt", "log": "log.txt"})
    await world.settle()
    (job,) = await world.claim()
    verdict = await world.report(job, outputs=())
    assert (verdict.verdict, verdict.status) == ("accepted", str(JobStatus.FAILED))
    assert await outputs(world, task_id) == await outputs(world, task_id, "log") == []
    assert await value(world, "SELECT error_code FROM job_archive WHERE job_id = $1", job.job_id) == 1165


async def test_files_of_a_job_that_failed_are_tried_again_together(world: World) -> None:
    await add_dataset(world, 7)
    task_id = await world.submit(**FILES | {"split": {"files_per_job": 3}})
    await world.settle()
    (first,) = await world.claim()
    await world.report(first, FAILED)
    ran = await world.run_all()
    again = next(job for job in ran if job.attempt == 2)
    assert {f.name for f in again.inputs} == {f.name for f in first.inputs}
    assert sorted(f.name for job in ran for f in job.inputs) == [f"f{i:06d}" for i in range(7)]
    assert (await world.status(task_id), await ended(world, task_id)) == ("done", {"finished": 3, "failed": 1})
    await invariants.check(world)
