"""What failed is tried again as its reason asks for: two counters, rules that can be changed while the system runs, memory, queues (semantics 3.9).

Stories of lost pilots, of memory and of rules are in scenarios/.
"""

import asyncio
from typing import Any

from pandawms.domain.codes import Code
from pandawms.domain.outcome import Outcome, outcome
from pandawms.domain.retry_rule import Action, Rule
from pandawms.engine.aggregate import ending
from pandawms.engine.aggregate.retries.step import retry
from pandawms.engine.aggregate.step import step as aggregate
from pandawms.store import places, retry_rules, tasks
from pandawms.store.retry_rules import Done
from pandawms.wire.checks import decode_document
from pandawms.wire.pilot.claim import JobSpec
from tests.engine import invariants
from tests.engine.play import FAILED, FILES, add_dataset, add_queue, ended, rows, run_with, value
from tests.world import World

KILLED_FOR_MEMORY = outcome(Code.TOO_MUCH_MEMORY, "killed at 4100 MB")
PREEMPTED = outcome(Code.PREEMPTED, "slot taken back")
QUOTA = outcome(Code.PAYLOAD_FAILED, "copying results\nquota of /scratch exceeded by 3 GB", exit_code=1)
ONE: dict[str, Any] = {"inputs": {"events": {"count": 2}}, "scouts": {"jobs": 0}}


async def add_rule(world: World, action: Action, name: str = "r", **conditions: Any) -> None:
    """Puts a rule of the operators into the table."""
    async with world.pool.acquire() as connection, connection.transaction():
        assert await retry_rules.add(connection, Rule(name, action, **conditions), world.who.user_id)


async def done_about(world: World, job: JobSpec) -> tuple[Done, ...]:
    """What was kept about the failure of a job."""
    async with world.pool.acquire() as connection:
        return await retry_rules.done_about_job(connection, job.job_id)


async def fail_next(world: World, how: Outcome, n_jobs: int = 1) -> list[JobSpec]:
    """Lets the next jobs fail this way, and the engine follow."""
    jobs = []
    for _ in range(n_jobs):
        (job,) = await world.claim()
        await world.report(job, how)
        jobs.append(job)
    await world.settle()
    return jobs


async def unit(world: World) -> dict[str, Any]:
    """The counters of the only unit."""
    (row,) = await rows(world, "SELECT status, attempt, max_attempts, failed_attempts, forgiven_failures, free_attempts, memory_mb, is_unjudged FROM task_file")
    return dict(row)


# Counters ----------------------------------------------------------------------------------------------


async def test_three_of_twenty_inputs_that_fail_for_good_are_counted_once_each(world: World) -> None:
    task_id = await world.submit(inputs={"events": {"count": 40}}, retry={"max_attempts": 4, "max_failures": 2}, scouts={"jobs": 0})
    ran = await run_with(world, {("run", serial): FAILED for serial in (3, 7, 11)})
    assert len(ran) == 17 + 3 * 2, "two failures each, though four attempts were allowed"
    assert await world.status(task_id) == "finished"
    progress = await world.progress(task_id)
    assert (progress.n_finished, progress.n_failed, progress.n_used) == (17, 3, 20)
    (act,) = await done_about(world, [job for job in ran if job.traits.serial == 3][-1])
    assert (act.action, act.rule) == ("no_retry", None)
    assert "all 2 failures" in act.reason
    await invariants.check(world)


async def test_a_preemption_costs_no_attempt(world: World) -> None:
    task_id = await world.submit(**ONE, retry={"max_attempts": 1})
    await world.settle()
    names = {(await fail_next(world, PREEMPTED))[0].outputs[0].name for _ in range(3)}
    found = await unit(world)
    assert (found["attempt"], found["max_attempts"], found["free_attempts"]) == (4, 4, 3)
    (last,) = await world.run_all()
    assert len(names | {last.outputs[0].name}) == 4, "no name of an output comes back"
    assert (await world.status(task_id), await ended(world, task_id)) == ("done", {"failed": 3, "finished": 1})
    await invariants.check(world)


async def test_no_verdict_is_given_while_a_failure_waits_for_judgement(world: World) -> None:
    task_id = await world.submit(**ONE, retry={"max_attempts": 1})
    await world.settle()
    (job,) = await world.claim()
    await world.report(job, PREEMPTED)
    assert (await world.progress(task_id)).n_failed == 1, "its last attempt failed, as far as the report can know"
    async with world.pool.acquire() as connection, connection.transaction():
        task = await tasks.get(connection, task_id)
        assert task is not None
        await ending.judge(connection, task, decode_document(task.document))
    assert await world.status(task_id) == "running"
    await world.run_all()
    assert await world.status(task_id) == "done"


async def test_what_is_judged_is_judged_once(world: World) -> None:
    task_id = await world.submit(**ONE, retry={"max_attempts": 1})
    await world.settle()
    (job,) = await world.claim()
    await world.report(job, FAILED)
    async with world.pool.acquire() as connection, connection.transaction():
        task = await tasks.get(connection, task_id)
        assert task is not None
        assert [await retry(connection, world.services, task) for _ in range(2)] == [1, 0]
        assert not await retry_rules.has_unjudged(connection, task_id)
    await invariants.check(world)


async def test_an_engine_that_is_killed_while_it_judges_judged_nothing(world: World) -> None:
    task_id = await world.submit(**ONE)
    await world.settle()
    (job,) = await world.claim()
    await world.report(job, PREEMPTED)
    async with world.pool.acquire() as connection:
        killed = connection.transaction()
        await killed.start()
        task = await tasks.get(connection, task_id)
        assert task is not None
        assert await retry(connection, world.services, task) == 1
        await killed.rollback()
        assert await retry_rules.has_unjudged(connection, task_id)
    await world.settle()
    found = await unit(world)
    assert (found["free_attempts"], len(await done_about(world, job))) == (1, 1)
    await world.run_all()
    assert await world.status(task_id) == "done"


async def test_of_several_engines_one_judges_each_failure(world: World) -> None:
    task_id = await world.submit(inputs={"events": {"count": 40}}, scouts={"jobs": 0})
    await world.settle()
    for job in await _claim_all(world):
        await world.report(job, PREEMPTED)
    await asyncio.gather(*(aggregate(world.pool, world.services) for _ in range(3)))
    assert await value(world, "SELECT count(*) FROM retry_action") == 20
    assert await value(world, "SELECT count(*) FROM task_file WHERE free_attempts = 1 AND max_attempts = 4") == 20
    await world.run_all()
    assert await world.status(task_id) == "done"
    await invariants.check(world)


# Rules -----------------------------------------------------------------------------------------------------


async def test_a_rule_acts_from_the_moment_that_it_is_there_and_a_removed_one_no_more(world: World) -> None:
    await world.submit(**ONE, retry={"max_attempts": 10})
    await world.settle()
    await fail_next(world, QUOTA)
    await add_rule(world, Action.LIMIT_ATTEMPTS, "four", pattern="quota", domain="payload", max_attempts=4)
    await fail_next(world, QUOTA)
    assert (await unit(world))["max_attempts"] == 4
    async with world.pool.acquire() as connection, connection.transaction():
        assert await retry_rules.remove(connection, "four", world.who.user_id)
    await add_rule(world, Action.NO_RETRY, "four", pattern="quota", domain="payload")
    (last,) = await fail_next(world, QUOTA)
    (act,) = await done_about(world, last)
    assert (act.rule, act.rule_version, (await unit(world))["status"]) == ("four", 3, "failed"), "versions go on after a removal"
    assert [row["event"] for row in await rows(world, "SELECT event FROM retry_rule_change ORDER BY change_id")] == ["add", "remove", "add"]


async def test_a_task_that_wants_no_rules_gets_none(world: World) -> None:
    await add_rule(world, Action.NO_RETRY, pattern="quota", domain="payload")
    await world.submit(**ONE, retry={"use_rules": False})
    assert len(await run_with(world, {("run", 1): QUOTA})) == 3


# Memory ----------------------------------------------------------------------------------------------------


async def test_memory_stays_where_no_queue_has_more(world: World) -> None:
    await world.submit(**ONE | {"resources": {"memory_mb": 4000}})
    await world.settle()
    (first,) = await fail_next(world, KILLED_FOR_MEMORY)
    (again,) = await _claim_all(world)
    assert again.resources.memory_mb == 4000
    (act,) = await done_about(world, first)
    assert (act.is_applied, "allows 4000 MB" in act.reason) == (False, True)


async def _claim_all(world: World) -> list[JobSpec]:
    """Claims all jobs that are ready."""
    found: list[JobSpec] = []
    while jobs := await world.claim(10):
        found += jobs
    return found


# Queues and copies ---------------------------------------------------------------------------------------------------


BROKEN_NODE = outcome(Code.SETUP_FAILED, "no container runtime")


async def test_the_only_queue_is_never_avoided(world: World) -> None:
    await world.submit(**ONE)
    await world.settle()
    (job,) = await fail_next(world, BROKEN_NODE)
    assert await value(world, "SELECT count(*) FROM task_avoid") == 0
    (act,) = await done_about(world, job)
    assert (act.rule, act.is_applied) == ("setup-elsewhere", False)
    assert len(await world.run_all()) == 1


async def test_a_queue_that_cannot_read_the_inputs_is_no_other_queue(world: World) -> None:
    await add_dataset(world, 2)
    await world.submit(**FILES | {"scouts": {"jobs": 0}})
    await world.settle()
    async with world.pool.acquire() as connection:
        endpoint_id = await places.ensure_endpoint(connection, await places.ensure_site(connection, "far"), "far", "local", "file:///tmp/far")
    await add_queue(world, "second", endpoint_id)
    (job,) = await fail_next(world, BROKEN_NODE)
    assert [act.is_applied for act in await done_about(world, job)] == [False]
    assert await value(world, "SELECT count(*) FROM task_avoid") == 0


async def test_a_task_avoids_the_queue_where_it_could_not_be_set_up(world: World) -> None:
    task_id = await world.submit(**ONE)
    await world.settle()
    second_id = await add_queue(world)
    (job,) = await fail_next(world, BROKEN_NODE)
    assert await value(world, "SELECT queue_id FROM job WHERE task_id = $1", task_id) == second_id
    (rejected,) = await value(world, "SELECT rejections FROM brokerage WHERE task_id = $1", task_id)
    assert (rejected["queue"], rejected["rule"], f"job {job.job_id} failed there" in rejected["reason"]) == ("local", "avoided", True)
    assert await value(world, "SELECT count(*) FROM allocation WHERE queue_id = $1", world.queue_id) == 0
    await rows(world, "UPDATE task_avoid SET until_at = now()")
    async with world.pool.acquire() as connection, connection.transaction():
        assert await retry_rules.avoided(connection, [task_id]) == {task_id: ()}, "what is over is not avoided"
        await retry_rules.drop_old(connection, days=90)
    assert await value(world, "SELECT count(*) FROM task_avoid") == 0


async def test_another_copy_is_at_another_queue_and_without_one_nothing_is_avoided(world: World) -> None:
    await add_dataset(world, 2)
    await world.submit(**FILES | {"scouts": {"jobs": 0}, "retry": {"max_attempts": 9}})
    await world.settle()
    second_id = await add_queue(world)
    damaged = outcome(Code.STAGE_IN_CHECKSUM, "f000000 is damaged")
    await fail_next(world, damaged)
    assert await value(world, "SELECT count(*) FROM task_avoid") == 0
    async with world.pool.acquire() as connection, connection.transaction():
        endpoint_id = await places.ensure_endpoint(connection, await places.ensure_site(connection, "far"), "far", "local", "file:///tmp/far")
        await connection.execute("INSERT INTO replica (file_id, endpoint_id) SELECT file_id, $1 FROM file", endpoint_id)
    await fail_next(world, damaged)
    assert await value(world, "SELECT count(*) FROM task_avoid") == 0, "no queue reads that copy"
    async with world.pool.acquire() as connection:
        await places.put_queue_storage(connection, second_id, endpoint_id, 2, None)
    await fail_next(world, damaged)
    assert await value(world, "SELECT count(*) FROM task_avoid WHERE queue_id = $1", world.queue_id) == 1


# Wall time and inputs ------------------------------------------------------------------------------------------------


async def test_a_job_that_ran_out_of_time_gets_half_as_much_more(world: World) -> None:
    await world.submit(**ONE)
    await world.settle()
    (first,) = await fail_next(world, outcome(Code.OUT_OF_TIME))
    (again,) = await _claim_all(world)
    assert (first.resources.wall_seconds, again.resources.wall_seconds) == (3600, 5400)


async def test_a_job_whose_work_folder_grew_too_large_twice_is_made_again_as_two(world: World) -> None:
    await add_dataset(world, 8)
    task_id = await world.submit(**FILES | {"split": {"files_per_job": 8}, "scouts": {"jobs": 0}})
    await world.settle()
    too_large = outcome(Code.WORK_FOLDER_TOO_LARGE)
    first, second = (*await fail_next(world, too_large), *await fail_next(world, too_large))
    thirds = await _claim_all(world)
    assert [len(job.inputs) for job in (first, second, *thirds)] == [8, 8, 4, 4]
    for job in thirds:
        await world.report(job)
    await world.settle()
    assert await world.status(task_id) == "done"
    await invariants.check(world)
