"""Builds: one job for each queue makes what the others need, and these wait for it."""

from typing import Any
from uuid import uuid4

from pandawms.domain.codes import Code
from pandawms.domain.outcome import SUCCESS, Outcome, outcome
from pandawms.engine.dispatch.plan import Claim
from pandawms.store import events, identity, places
from pandawms.wire.pilot.claim import ClaimRequest, JobSpec
from tests.engine import invariants
from tests.engine.play import FAILED, HOPELESS, MERGE, ended, hot, lose, outputs, rows, told, unit_statuses, value
from tests.world import World, report_of

BUILD: dict[str, Any] = {"command": "make && tar czf %OUT bin", "output": "lib.tgz"}
COMMAND = {"command": "tar xf %{build} && bin/run %EVENTS > %OUT"}
LOST = Code.REPLICA_NOT_FOUND


async def submit(world: World, **changes: Any) -> int:
    """A task of ten jobs with a build."""
    return await world.submit(**{"program": COMMAND, "build": BUILD, "inputs": {"events": {"count": 20}}} | changes)


async def add_queue(world: World, name: str) -> int:
    """Another queue, with a storage of its own."""
    async with world.pool.acquire() as connection, connection.transaction():
        community_id = await identity.ensure_community(connection, "local")
        site_id = await places.ensure_site(connection, name)
        endpoint_id = await places.ensure_endpoint(connection, site_id, f"disk-{name}", "local", f"file:///tmp/{name}")
        queue_id, _ = await places.put_queue(
            connection, community_id, site_id, name, cores=1, memory_mb=4000, disk_mb=10_000, max_wall_seconds=86_400, architecture="x86_64", slots=2
        )
        await places.put_queue_storage(connection, queue_id, endpoint_id, 1, 1)
        await events.log(connection, "queue", queue_id, "add", None, "online", "test")
    return queue_id


async def claim(world: World, queue_id: int, n_jobs: int = 100) -> tuple[JobSpec, ...]:
    """Claims as a pilot of this queue."""
    request = ClaimRequest(1, "test", uuid4().hex, "q", "node", n_jobs=n_jobs, cores=1, memory_mb=4000, disk_mb=10_000, architecture="x86_64")
    return await world.dispatcher.claim(Claim(queue_id, request))


async def report(world: World, queue_id: int, job: JobSpec, found: Outcome = SUCCESS) -> None:
    """Reports as a pilot of this queue."""
    (verdict,) = await world.reporter.report(queue_id, [report_of(job, found)])
    assert verdict.verdict == "accepted"


async def run_queue(world: World, queue_id: int) -> list[JobSpec]:
    """Runs all that a queue has; all succeed."""
    ran: list[JobSpec] = []
    while jobs := await claim(world, queue_id):
        for job in jobs:
            await report(world, queue_id, job)
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
    (build,) = await claim(world, world.queue_id)
    assert (build.kind, build.command, build.inputs, build.outputs[0].local_name) == ("build", "make && tar czf lib.tgz bin", (), "lib.tgz")
    await report(world, world.queue_id, build)
    await world.settle()
    ran = await run_queue(world, world.queue_id)
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
    (build,) = await claim(world, world.queue_id, 1)
    assert build.kind == "build"
    await report(world, world.queue_id, build)
    assert await hot(world, task_id) == {"defined": 10}, "no stage of the engine has looked"
    await world.settle()
    assert await hot(world, task_id) == {"activated": 10}


async def test_five_queues_make_five_builds_and_each_job_reads_that_of_its_own(world: World) -> None:
    queues = [world.queue_id, *[await add_queue(world, f"q{n}") for n in range(4)]]
    task_id = await submit(world)
    await world.settle()
    seen: dict[int, str] = {}
    for queue_id in queues:
        (build,) = await claim(world, queue_id)
        await report(world, queue_id, build)
        seen[queue_id] = build.outputs[0].name
    await world.settle()
    for queue_id in queues:
        ran = await run_queue(world, queue_id)
        assert {job.inputs[-1].name for job in ran} == {seen[queue_id]}
        assert len(ran) == 2
    assert await value(world, "SELECT count(*) FROM job_spec WHERE task_id = $1 AND kind = 'build'", task_id) == 5 == len(set(seen.values()))
    assert await world.status(task_id) == "done"
    await invariants.check(world)


async def test_a_build_that_failed_is_made_again_and_nobody_who_waits_is_touched(world: World) -> None:
    task_id = await submit(world)
    await world.settle()
    names = []
    for found in (FAILED, FAILED, SUCCESS):
        assert await hot(world, task_id) == {"activated": 1, "waiting": 10}
        (build,) = await claim(world, world.queue_id)
        names.append((build.attempt, build.outputs[0].name))
        await report(world, world.queue_id, build, found)
        await world.settle()
    assert [attempt for attempt, _ in names] == [1, 2, 3]
    assert len({name for _, name in names}) == 3
    ran = await run_queue(world, world.queue_id)
    assert ({job.inputs[-1].name for job in ran}, {job.attempt for job in ran}) == ({names[-1][1]}, {1})
    assert await world.status(task_id) == "done"
    await invariants.check(world)


async def test_a_build_that_fails_for_good_closes_only_its_own_waiting_jobs_whose_units_go_elsewhere(world: World) -> None:
    other = await add_queue(world, "other")
    task_id = await submit(world, retry={"max_attempts": 1})
    await world.settle()
    assert await hot(world, task_id) == {"activated": 2, "waiting": 10}
    (build,) = await claim(world, world.queue_id)
    await report(world, world.queue_id, build, HOPELESS)
    await world.settle()
    closed = await rows(world, "SELECT queue_id, status, message FROM job_archive WHERE task_id = $1 AND status = 'closed'", task_id)
    assert [(row["queue_id"], row["message"]) for row in closed] == [(world.queue_id, "its build failed there: no such program")] * 5
    assert await claim(world, world.queue_id) == ()
    (good,) = await claim(world, other)
    await report(world, other, good)
    await world.settle()
    assert len(await run_queue(world, other)) == 10
    assert await world.status(task_id) == "done"
    assert await value(world, "SELECT count(*) FROM job_event WHERE event = 'drop' AND who = 'place'") == 5
    assert await builds(world, task_id) == [(world.queue_id, "failed", 1, 1), (other, "ready", 1, 0)]
    await invariants.check(world)


async def test_when_no_queue_is_left_the_task_fails_and_says_what_the_build_said(world: World) -> None:
    task_id = await submit(world)
    await world.settle()
    (build,) = await claim(world, world.queue_id)
    await report(world, world.queue_id, build, HOPELESS)
    await world.settle()
    assert await world.status(task_id) == "failed"
    reason = await value(world, "SELECT reason ->> 'text' FROM task WHERE task_id = $1", task_id)
    assert reason.endswith("no queue is left that could build it; in local, its build failed there: no such program")
    assert await ended(world, task_id) == {"failed": 1, "closed": 10}
    await invariants.check(world)


async def test_a_retry_of_a_task_whose_build_failed_builds_again(world: World) -> None:
    task_id = await submit(world)
    await world.settle()
    (build,) = await claim(world, world.queue_id)
    await report(world, world.queue_id, build, HOPELESS)
    await world.settle()
    assert (await told(world, "retry", task_id)).startswith("retried")
    (second,) = await claim(world, world.queue_id)
    assert (second.kind, second.attempt) == ("build", 2)
    await report(world, world.queue_id, second)
    await world.settle()
    await run_queue(world, world.queue_id)
    assert await world.status(task_id) == "done"
    await invariants.check(world)


async def test_a_library_is_used_again_by_later_attempts_and_by_a_retried_task(world: World) -> None:
    task_id = await submit(world, retry={"max_attempts": 1})
    await world.settle()
    (build,) = await claim(world, world.queue_id)
    await report(world, world.queue_id, build)
    await world.settle()
    first, *others = await claim(world, world.queue_id)
    for job in others:
        await report(world, world.queue_id, job)
    await report(world, world.queue_id, first, FAILED)
    await world.settle()
    assert await world.status(task_id) == "finished"
    assert (await told(world, "retry", task_id)).startswith("retried")
    (again,) = await claim(world, world.queue_id)
    assert (again.kind, again.inputs[-1].name) == ("run", build.outputs[0].name)
    await report(world, world.queue_id, again)
    await world.settle()
    assert await world.status(task_id) == "done"
    assert await value(world, "SELECT count(*) FROM job_spec WHERE kind = 'build'") == 1
    await invariants.check(world)


async def test_a_new_version_that_builds_the_same_takes_the_library_of_the_old_one(world: World) -> None:
    task_id = await submit(world, retry={"max_attempts": 1})
    await world.settle()
    (build,) = await claim(world, world.queue_id)
    await report(world, world.queue_id, build)
    await world.settle()
    for job in await claim(world, world.queue_id):
        await report(world, world.queue_id, job, FAILED)
    await world.settle()
    await told(world, "retry", task_id, changes={"resources": {"memory_mb": 2000}})
    assert await value(world, "SELECT version FROM task WHERE task_id = $1", task_id) == 2
    ran = await run_queue(world, world.queue_id)
    assert ({job.kind for job in ran}, {job.inputs[-1].name for job in ran}) == ({"run"}, {build.outputs[0].name})
    await told(world, "retry", task_id)
    await invariants.check(world)


async def test_a_library_that_is_lost_is_built_anew_and_what_was_queued_waits_for_it(world: World) -> None:
    task_id = await submit(world)
    await world.settle()
    (build,) = await claim(world, world.queue_id)
    await report(world, world.queue_id, build)
    await world.settle()
    (job,) = await claim(world, world.queue_id, 1)
    await report(world, world.queue_id, job, outcome(LOST, f"{build.outputs[0].name}: no source works"))
    await world.settle()
    assert await hot(world, task_id) == {"activated": 1, "waiting": 10}
    (second,) = await claim(world, world.queue_id)
    assert (second.kind, second.attempt) == ("build", 2)
    await report(world, world.queue_id, second)
    await world.settle()
    ran = await run_queue(world, world.queue_id)
    assert {job.inputs[-1].name for job in ran} == {second.outputs[0].name}
    assert await world.status(task_id) == "done"
    await invariants.check(world)


async def test_a_library_without_a_replica_is_built_anew(world: World) -> None:
    task_id = await submit(world, retry={"max_attempts": 1})
    await world.settle()
    (build,) = await claim(world, world.queue_id)
    await report(world, world.queue_id, build)
    await world.settle()
    for job in await claim(world, world.queue_id):
        await report(world, world.queue_id, job, FAILED)
    await world.settle()
    await rows(world, "DELETE FROM replica r USING file f WHERE f.file_id = r.file_id AND f.name = $1", build.outputs[0].name)
    await told(world, "retry", task_id)
    assert [job.kind for job in await claim(world, world.queue_id)] == ["build"]


async def test_another_input_that_is_missing_leaves_the_library_alone(world: World) -> None:
    task_id = await submit(world)
    await world.settle()
    (build,) = await claim(world, world.queue_id)
    await report(world, world.queue_id, build)
    await world.settle()
    (job,) = await claim(world, world.queue_id, 1)
    await report(world, world.queue_id, job, outcome(LOST, "other.txt: no source works"))
    await world.settle()
    assert (await builds(world, task_id), await hot(world, task_id)) == ([(world.queue_id, "ready", 1, 0)], {"activated": 10})


async def test_a_lost_build_job_is_made_again(world: World) -> None:
    task_id = await submit(world)
    await world.settle()
    await claim(world, world.queue_id)
    await lose(world)
    await world.settle()
    (second,) = await claim(world, world.queue_id)
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
    ran = await run_queue(world, world.queue_id)
    name = ran[0].outputs[0].name
    assert (ran[-1].kind, ran[-1].inputs[-1].name, len(ran[-1].inputs)) == ("merge", name, 11)
    assert ran[-1].command.startswith(f"tar xf {name} && bin/add t.out.000001.1.txt")
    assert await world.status(task_id) == "done"
    await invariants.check(world)


async def test_a_merge_whose_library_is_gone_and_cannot_be_built_fails_what_it_would_have_merged(world: World) -> None:
    merge = MERGE | {"command": "tar xf %{build} && bin/add %IN > %OUT"}
    task_id = await submit(world, merge=merge, retry={"max_attempts": 1})
    await world.settle()
    (build,) = await claim(world, world.queue_id)
    await report(world, world.queue_id, build)
    await world.settle()
    for job in await claim(world, world.queue_id):
        await report(world, world.queue_id, job)
    await rows(world, "DELETE FROM replica r USING file f WHERE f.file_id = r.file_id AND f.name = $1", build.outputs[0].name)
    await world.settle()
    (second,) = await claim(world, world.queue_id)
    assert second.kind == "build"
    await report(world, world.queue_id, second, HOPELESS)
    await world.settle()
    assert await world.status(task_id) == "failed"


async def test_the_library_is_none_of_the_results(world: World) -> None:
    task_id = await submit(world)
    await world.settle()
    ran = await run_queue(world, world.queue_id)
    made = "SELECT role, d.is_transient FROM task_dataset td JOIN dataset d USING (dataset_id) WHERE td.task_id = $1 AND stream = 'build'"
    found = await rows(world, made, task_id)
    assert [tuple(row) for row in found] == [("build", True)]
    assert (len(ran), len(await outputs(world, task_id)), await unit_statuses(world, task_id)) == (11, 10, {"finished": 10})
