"""Scenario 22: a program is built once in each queue, for the jobs of that queue and for those that come later."""

from tests.engine.play import FAILED, HOPELESS, ended, hot, rows, told, value
from tests.engine.scenarios.stories import claim_all, farm
from tests.engine.test_builds import builds, submit
from tests.world import World


async def test_five_queues_make_five_builds_and_each_job_reads_that_of_its_own(world: World) -> None:
    """Scenario 22: one build a queue, and nobody runs before the build of the own queue is there."""
    queues = [world, *[await farm(world, f"q{n}") for n in range(4)]]
    task_id = await submit(world)
    await world.settle()
    assert await hot(world, task_id) == {"activated": 5, "waiting": 10}
    libraries: dict[int, str] = {}
    for queue in queues:
        (build,) = await claim_all(queue)
        assert (build.kind, await claim_all(queue)) == ("build", [])
        await queue.report(build)
        libraries[queue.queue_id] = build.outputs[0].name
    assert len(set(libraries.values())) == 5
    await world.settle()
    for queue in queues:
        jobs = await claim_all(queue)
        assert [(job.kind, job.inputs[-1].name) for job in jobs] == [("run", libraries[queue.queue_id])] * 2
        for job in jobs:
            await queue.report(job)
    await world.settle()
    assert await value(world, "SELECT count(*) FROM job_spec WHERE task_id = $1 AND kind = 'build'", task_id) == 5
    assert (await world.status(task_id), await ended(world, task_id)) == ("done", {"finished": 15})


async def test_a_build_that_fails_for_good_closes_only_its_own_waiting_jobs_whose_units_go_elsewhere(world: World) -> None:
    """Scenario 22. Their inputs go to the other queue, and the attempt does not count (docs/explanation/builds.md)."""
    far = await farm(world, "far")
    task_id = await submit(world, retry={"max_attempts": 1})
    await world.settle()
    assert await hot(world, task_id) == {"activated": 2, "waiting": 10}
    (build,) = await claim_all(world)
    await world.report(build, HOPELESS)
    await world.settle()
    closed = await rows(world, "SELECT queue_id, status, message FROM job_archive WHERE task_id = $1 AND status = 'closed'", task_id)
    assert [(row["queue_id"], row["message"]) for row in closed] == [(world.queue_id, "its build failed there: no such program")] * 5
    assert await value(world, "SELECT count(*) FROM job WHERE queue_id = $1 AND status = 'waiting'", far.queue_id) == 10
    assert await claim_all(world) == []
    (good,) = await claim_all(far)
    await far.report(good)
    await world.settle()
    jobs = await claim_all(far)
    for job in jobs:
        await far.report(job)
    await world.settle()
    assert (len(jobs), await world.status(task_id)) == (10, "done")
    assert await value(world, "SELECT count(*) FROM job_event WHERE event = 'drop' AND who = 'place'") == 5
    assert await builds(world, task_id) == [(world.queue_id, "failed", 1, 1), (far.queue_id, "ready", 1, 0)]


async def test_a_library_is_used_again_by_later_attempts_and_by_a_retried_task(world: World) -> None:
    """Scenario 22. A library has no age here: a lost one is built anew (test_builds.py), one that is there is used."""
    task_id = await submit(world, retry={"max_attempts": 2})
    await world.settle()
    (build,) = await claim_all(world)
    await world.report(build)
    await world.settle()
    first, *others = await claim_all(world)
    for job in others:
        await world.report(job)
    for attempt in (first, None):
        (job,) = [attempt] if attempt else await claim_all(world)
        assert (job.kind, job.inputs[-1].name) == ("run", build.outputs[0].name)
        await world.report(job, FAILED)
        await world.settle()
    assert await world.status(task_id) == "finished"
    assert (await told(world, "retry", task_id)).startswith("retried")
    (again,) = await claim_all(world)
    assert (again.kind, again.attempt, again.inputs[-1].name) == ("run", 3, build.outputs[0].name)
    await world.report(again)
    await world.settle()
    assert (await world.status(task_id), await value(world, "SELECT count(*) FROM job_spec WHERE kind = 'build'")) == ("done", 1)
