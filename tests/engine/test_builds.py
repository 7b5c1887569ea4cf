"""Builds: one job makes what the others of its queue need, and these wait for it. Several queues are in scenarios/test_building.py."""

from typing import Any

from pandawms.domain.codes import Code
from pandawms.domain.outcome import SUCCESS, outcome
from pandawms.wire.pilot.claim import JobSpec
from tests.engine import invariants
from tests.engine.play import FAILED, HOPELESS, MERGE, ended, hot, lose, outputs, rows, told, unit_statuses, value
from tests.world import World

BUILD: dict[str, Any] = {"command": "make && tar czf %OUT bin", "output": "lib.tgz"}
COMMAND = {"command": "tar xf %{build} && bin/run %EVENTS > %OUT"}
LOST = Code.REPLICA_NOT_FOUND


async def submit(world: World, **changes: Any) -> int:
    """A task of ten jobs with a build."""
    return await world.submit(**{"program": COMMAND, "build": BUILD, "inputs": {"events": {"count": 20}}} | changes)


async def run_queue(world: World) -> list[JobSpec]:
    """Runs all that the queue has, many jobs at a time; all succeed."""
    ran: list[JobSpec] = []
    while jobs := await world.claim(100):
        for job in jobs:
            await world.report(job)
        ran += jobs
        await world.settle()
    return ran


async def builds(world: World, task_id: int) -> list[tuple[int, str, int, int]]:
    """The builds of a task: queue, status, attempts, failures."""
    found = await rows(world, "SELECT queue_id, status, attempt, failures FROM task_build WHERE task_id = $1 ORDER BY queue_id, version", task_id)
    return [tuple(row) for row in found]


async def test_jobs_wait_for_the_build_of_their_queue_and_read_what_it_made(world: World) -> None:
    task_id = await submit(world)
    await world.settle()
    assert await hot(world, task_id) == {"activated": 1, "waiting": 10}
    (build,) = await world.claim(100)
    assert (build.kind, build.command, build.inputs, build.outputs[0].local_name) == ("build", "make && tar czf lib.tgz bin", (), "lib.tgz")
    await world.report(build)
    await world.settle()
    ran = await run_queue(world)
    assert ([job.kind for job in ran], await world.status(task_id)) == (["run"] * 10, "done")
    name = build.outputs[0].name
    assert {(job.inputs[-1].stream, job.inputs[-1].name, job.inputs[-1].sources) for job in ran} == {("build", name, (build.outputs[0].destination,))}
    assert ran[0].command == f"tar xf {name} && bin/run 2 > out.txt"
    assert await value(world, "SELECT count(*) FROM job_edge") == 0
    await invariants.check(world)


async def test_the_build_goes_before_other_work_and_its_jobs_are_released_by_its_end_alone(world: World) -> None:
    await world.submit(name="plain", priority=1500)
    task_id = await submit(world)
    await world.settle()
    (build,) = await world.claim(1)
    assert build.kind == "build"
    await world.report(build)
    assert await hot(world, task_id) == {"defined": 10}, "no stage of the engine has looked"
    await world.settle()
    assert await hot(world, task_id) == {"activated": 10}


async def test_a_build_that_failed_is_made_again_and_nobody_who_waits_is_touched(world: World) -> None:
    task_id = await submit(world)
    await world.settle()
    names = []
    for found in (FAILED, FAILED, SUCCESS):
        assert await hot(world, task_id) == {"activated": 1, "waiting": 10}
        (build,) = await world.claim(100)
        names.append((build.attempt, build.outputs[0].name))
        await world.report(build, found)
        await world.settle()
    assert [attempt for attempt, _ in names] == [1, 2, 3]
    assert len({name for _, name in names}) == 3
    ran = await run_queue(world)
    assert ({job.inputs[-1].name for job in ran}, {job.attempt for job in ran}) == ({names[-1][1]}, {1})
    assert await world.status(task_id) == "done"
    await invariants.check(world)


async def test_when_no_queue_is_left_the_task_fails_and_says_what_the_build_said(world: World) -> None:
    task_id = await submit(world)
    await world.settle()
    (build,) = await world.claim(100)
    await world.report(build, HOPELESS)
    await world.settle()
    assert await world.status(task_id) == "failed"
    reason = await value(world, "SELECT reason ->> 'text' FROM task WHERE task_id = $1", task_id)
    assert reason.endswith("no queue is left that could build it; in local, its build failed there: no such program")
    assert await ended(world, task_id) == {"failed": 1, "closed": 10}
    await invariants.check(world)


async def test_a_retry_of_a_task_whose_build_failed_builds_again(world: World) -> None:
    task_id = await submit(world)
    await world.settle()
    (build,) = await world.claim(100)
    await world.report(build, HOPELESS)
    await world.settle()
    assert (await told(world, "retry", task_id)).startswith("retried")
    (second,) = await world.claim(100)
    assert (second.kind, second.attempt) == ("build", 2)
    await world.report(second)
    await world.settle()
    await run_queue(world)
    assert await world.status(task_id) == "done"
    await invariants.check(world)


async def test_a_new_version_that_builds_the_same_takes_the_library_of_the_old_one(world: World) -> None:
    task_id = await submit(world, retry={"max_attempts": 1})
    await world.settle()
    (build,) = await world.claim(100)
    await world.report(build)
    await world.settle()
    for job in await world.claim(100):
        await world.report(job, FAILED)
    await world.settle()
    await told(world, "retry", task_id, changes={"resources": {"memory_mb": 2000}})
    assert await value(world, "SELECT version FROM task WHERE task_id = $1", task_id) == 2
    ran = await run_queue(world)
    assert ({job.kind for job in ran}, {job.inputs[-1].name for job in ran}) == ({"run"}, {build.outputs[0].name})
    await told(world, "retry", task_id)
    await invariants.check(world)


async def test_a_library_that_is_lost_is_built_anew_and_what_was_queued_waits_for_it(world: World) -> None:
    task_id = await submit(world)
    await world.settle()
    (build,) = await world.claim(100)
    await world.report(build)
    await world.settle()
    (job,) = await world.claim(1)
    await world.report(job, outcome(LOST, f"{build.outputs[0].name}: no source works"))
    await world.settle()
    assert await hot(world, task_id) == {"activated": 1, "waiting": 10}
    (second,) = await world.claim(100)
    assert (second.kind, second.attempt) == ("build", 2)
    await world.report(second)
    await world.settle()
    ran = await run_queue(world)
    assert {job.inputs[-1].name for job in ran} == {second.outputs[0].name}
    assert await world.status(task_id) == "done"
    await invariants.check(world)


async def test_a_library_without_a_replica_is_built_anew(world: World) -> None:
    task_id = await submit(world, retry={"max_attempts": 1})
    await world.settle()
    (build,) = await world.claim(100)
    await world.report(build)
    await world.settle()
    for job in await world.claim(100):
        await world.report(job, FAILED)
    await world.settle()
    await rows(world, "DELETE FROM replica r USING file f WHERE f.file_id = r.file_id AND f.name = $1", build.outputs[0].name)
    await told(world, "retry", task_id)
    assert [job.kind for job in await world.claim(100)] == ["build"]


async def test_another_input_that_is_missing_leaves_the_library_alone(world: World) -> None:
    task_id = await submit(world)
    await world.settle()
    (build,) = await world.claim(100)
    await world.report(build)
    await world.settle()
    (job,) = await world.claim(1)
    await world.report(job, outcome(LOST, "other.txt: no source works"))
    await world.settle()
    assert (await builds(world, task_id), await hot(world, task_id)) == ([(world.queue_id, "ready", 1, 0)], {"activated": 10})


async def test_a_lost_build_job_is_made_again(world: World) -> None:
    task_id = await submit(world)
    await world.settle()
    await world.claim(100)
    await lose(world)
    await world.settle()
    (second,) = await world.claim(100)
    assert (second.kind, second.attempt, await hot(world, task_id)) == ("build", 2, {"sent": 1, "waiting": 10})


async def test_a_kill_ends_the_build_and_all_who_wait_for_it(world: World) -> None:
    task_id = await submit(world)
    await world.settle()
    await told(world, "kill", task_id)
    assert (await world.status(task_id), await hot(world, task_id), await ended(world, task_id)) == ("aborted", {}, {"cancelled": 11})
    assert (await builds(world, task_id), await value(world, "SELECT count(*) FROM job_edge")) == ([(world.queue_id, "wanted", 1, 0)], 0)
    await invariants.check(world)


async def test_a_merge_that_names_the_build_gets_it_too(world: World) -> None:
    merge = MERGE | {"command": "tar xf %{build} && bin/add %IN > %OUT"}
    task_id = await submit(world, merge=merge)
    await world.settle()
    ran = await run_queue(world)
    name = ran[0].outputs[0].name
    assert (ran[-1].kind, ran[-1].inputs[-1].name, len(ran[-1].inputs)) == ("merge", name, 11)
    assert ran[-1].command.startswith(f"tar xf {name} && bin/add t.out.000001.1.txt")
    assert await world.status(task_id) == "done"
    await invariants.check(world)


async def test_a_merge_whose_library_is_gone_and_cannot_be_built_fails_what_it_would_have_merged(world: World) -> None:
    merge = MERGE | {"command": "tar xf %{build} && bin/add %IN > %OUT"}
    task_id = await submit(world, merge=merge, retry={"max_attempts": 1})
    await world.settle()
    (build,) = await world.claim(100)
    await world.report(build)
    await world.settle()
    for job in await world.claim(100):
        await world.report(job)
    await rows(world, "DELETE FROM replica r USING file f WHERE f.file_id = r.file_id AND f.name = $1", build.outputs[0].name)
    await world.settle()
    (second,) = await world.claim(100)
    assert second.kind == "build"
    await world.report(second, HOPELESS)
    await world.settle()
    assert await world.status(task_id) == "failed"


async def test_the_library_is_none_of_the_results(world: World) -> None:
    task_id = await submit(world)
    await world.settle()
    ran = await run_queue(world)
    made = "SELECT role, d.is_transient FROM task_dataset td JOIN dataset d USING (dataset_id) WHERE td.task_id = $1 AND stream = 'build'"
    found = await rows(world, made, task_id)
    assert [tuple(row) for row in found] == [("build", True)]
    assert (len(ran), len(await outputs(world, task_id)), await unit_statuses(world, task_id)) == (11, 10, {"finished": 10})
