"""Work in the hands of a pilot is a lease: it is renewed, runs out by the database's clock, and is never taken twice."""

from dataclasses import replace
from uuid import uuid4

from pandawms.domain.worker import WorkerStatus
from pandawms.engine.watch.hearing import hear
from pandawms.engine.watch.step import step as watch_step
from pandawms.store import places, workers
from tests.engine.play import beat, claim_uuid, ended, expire, hot, rows, value, watch
from tests.world import World


async def one_job(world: World) -> int:
    """A task of one job."""
    task_id = await world.submit(inputs={"events": {"count": 2}})
    await world.settle()
    return task_id


async def test_a_lease_that_has_not_run_out_is_left_alone(world: World) -> None:
    task_id = await one_job(world)
    await world.claim()
    assert await watch(world) == 0
    assert await hot(world, task_id) == {"sent": 1}


async def test_a_report_of_a_job_that_does_not_exist_is_refused(world: World) -> None:
    await one_job(world)
    (job,) = await world.claim()
    missing = type(job)(job_id=999, task_id=job.task_id, attempt=1, claim_id=job.claim_id, command="true", outputs=job.outputs)
    assert (await world.report(missing)).verdict == "refused"


async def test_another_claim_cannot_report_a_job(world: World) -> None:
    task_id = await one_job(world)
    (job,) = await world.claim()
    assert (await world.report(job, claim_id=uuid4().hex)).verdict == "refused"
    assert await hot(world, task_id) == {"sent": 1}
    assert (await world.report(job)).verdict == "accepted"


async def test_the_same_claim_again_gets_the_same_jobs(world: World) -> None:
    task_id = await world.submit()
    await world.settle()
    claim_id = uuid4()
    first = await world.claim(2, claim_id)
    assert await world.claim(2, claim_id) == first
    assert {claim_uuid(job) for job in first} == {claim_id}
    assert await hot(world, task_id) == {"sent": 2, "activated": 3}


async def test_a_heartbeat_under_another_claim_is_told_that_the_job_is_gone_and_renews_nothing(world: World) -> None:
    await one_job(world)
    (job,) = await world.claim()
    await expire(world)
    assert (await beat(world, replace(job, claim_id=uuid4().hex))).verdict == "gone"
    assert await value(world, "SELECT status || (lease_expires_at < now()) FROM job") == "senttrue"


async def test_the_job_of_a_worker_that_ended_is_lost_at_once(world: World) -> None:
    task_id = await one_job(world)
    async with world.pool.acquire() as connection:
        worker_id = await workers.add(connection, world.queue_id, "local", "test")
    (job,) = await world.claim(worker_id=worker_id)
    async with world.pool.acquire() as connection:
        assert await workers.change(connection, worker_id, {WorkerStatus.PENDING}, WorkerStatus.FAILED, "miss", "test")
        await connection.execute("UPDATE worker SET ended_at = now() - interval '3 s'")
    assert await watch(world) == 1
    assert await ended(world, task_id) == {"failed": 1}
    assert (await beat(world, job)).verdict == "gone"


async def test_while_no_server_hears_no_lease_is_ended(world: World) -> None:
    task_id = await one_job(world)
    await world.claim()
    await expire(world)
    assert await watch_step(world.pool, world.services) == 0, "no server ever heard"
    await hear(world.pool, world.services)
    await rows(world, "UPDATE hearing SET heard_at = now() - interval '16 s'")
    assert await watch_step(world.pool, world.services) == 0, "the last one that heard is silent for longer than the gap"
    assert await hot(world, task_id) == {"sent": 1}


async def test_after_a_time_in_which_no_server_heard_every_lease_gets_a_full_period(world: World) -> None:
    task_id = await one_job(world)
    await hear(world.pool, world.services)
    await world.claim()
    await expire(world)
    await rows(world, "UPDATE hearing SET heard_at = now() - interval '1 h'")
    assert await hear(world.pool, world.services) > 3500
    assert await value(world, "SELECT lease_expires_at > now() + interval '25 s' FROM job") is True
    assert await watch_step(world.pool, world.services) == 0
    await expire(world)
    assert await watch_step(world.pool, world.services) == 1, "from then on it runs out as always"
    assert await ended(world, task_id) == {"failed": 1}


async def test_a_server_that_hears_without_a_gap_extends_nothing(world: World) -> None:
    await one_job(world)
    await hear(world.pool, world.services)
    await world.claim()
    await expire(world)
    assert await hear(world.pool, world.services) < 15
    assert await value(world, "SELECT lease_expires_at < now() FROM job") is True


async def test_a_slot_gets_only_jobs_that_fit(world: World) -> None:
    await world.submit(resources={"memory_mb": 3000, "wall_seconds": 1000})
    await world.settle()
    assert await world.claim(memory_mb=2999) == ()
    assert await world.claim(remaining_seconds=999) == ()
    assert len(await world.claim(memory_mb=3000, remaining_seconds=1000)) == 1


async def test_higher_priority_is_claimed_first_then_the_older_job(world: World) -> None:
    await world.submit(name="low", priority=100)
    await world.submit(name="high", priority=900)
    await world.settle()
    names = [job.task_name for job in await world.claim(6)]
    assert sorted(names) == ["high"] * 5 + ["low"]
    async with world.pool.acquire() as connection:
        assert (await places.demand(connection, world.queue_id, 100)).activated_jobs == 4
