"""Many at once on the real database: every job once, every end once, whoever comes first."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from pandawms.engine.dispatch.gather import Dispatcher
from pandawms.engine.dispatch.plan import Claim
from pandawms.engine.report.gather import Reporter
from pandawms.store import events, identity, places
from pandawms.store.database import Options, Pool, open_pool
from pandawms.wire.pilot.claim import ClaimRequest, JobSpec
from tests.conftest import Database
from tests.engine import invariants
from tests.engine.play import FAILED, FILES, MERGE, answer, ask, ended, expire, hot, outputs, rows, unit_statuses, watch
from tests.waiting import until
from tests.world import STAGES, World, report_of


def another(world: World, pool: Pool) -> World:
    """A second server and engine over the same database."""
    return replace(world, pool=pool)


async def another_queue(world: World) -> None:
    """A second queue beside the first, so that each task has two allocations."""
    async with world.pool.acquire() as connection, connection.transaction():
        queue_id, _ = await places.put_queue(
            connection, await identity.ensure_community(connection, "local"), await places.ensure_site(connection, "here"), "other",
            cores=1, memory_mb=4000, disk_mb=10_000, max_wall_seconds=86_400, architecture="x86_64", slots=2,
        )  # fmt: skip
        await places.put_queue_storage(connection, queue_id, world.endpoint_id, 1, 1)
        await events.log(connection, "queue", queue_id, "add", None, "online", "test")


async def settle_together(*worlds: World, seconds: float = 60) -> None:
    """Runs every stage of every engine at the same time, again and again, until none finds work."""
    async with asyncio.timeout(seconds):
        while sum(await asyncio.gather(*(step(world.pool, world.services) for step in STAGES for world in worlds))):
            pass


async def test_twenty_claimers_get_two_hundred_jobs_each_exactly_once(world: World, database: Database) -> None:
    task_id = await world.submit(inputs={"events": {"count": 400}}, scouts={"jobs": 0})
    await world.settle()

    async def claim_all(server: World) -> list[JobSpec]:
        found: list[JobSpec] = []
        while len(jobs := await server.claim(3)) or (await hot(server, task_id)).get("activated"):
            found += jobs
        return found

    async with open_pool(Options(database.url, max_connections=4), "test") as pool:
        servers = [world, another(world, pool), replace(world), another(world, pool)]
        found = await asyncio.gather(*(claim_all(servers[i % 4]) for i in range(20)))
    given = [job.job_id for jobs in found for job in jobs]
    assert len(given) == len(set(given)) == 200
    held = {row["job_id"]: row["claim_id"].hex for row in await rows(world, "SELECT job_id, claim_id FROM job")}
    assert held == {job.job_id: job.claim_id for jobs in found for job in jobs}
    assert await hot(world, task_id) == {"sent": 200}


async def test_a_claim_that_is_repeated_while_the_first_is_under_way_gets_its_jobs_once(world: World) -> None:
    task_id = await world.submit()
    await world.settle()
    claim_id = uuid4()
    answers = await asyncio.gather(*(world.claim(2, claim_id) for _ in range(8)))
    assert len({tuple(job.job_id for job in jobs) for jobs in answers}) == 1
    assert len(answers[0]) == 2
    assert await hot(world, task_id) == {"sent": 2, "activated": 3}


async def test_claims_of_different_slots_in_one_batch_each_get_what_fits(world: World) -> None:
    await world.submit(name="big", resources={"memory_mb": 3000})
    await world.submit(name="small", resources={"memory_mb": 500})
    await world.settle()
    answers = await asyncio.gather(*(world.claim(memory_mb=1000 if i % 2 else 4000) for i in range(10)))
    assert all(len(jobs) == 1 for jobs in answers)
    assert all(jobs[0].task_name == "small" for i, jobs in enumerate(answers) if i % 2)
    assert len({jobs[0].job_id for jobs in answers}) == 10


async def test_a_hundred_reports_at_once_are_each_counted_once(world: World) -> None:
    task_id = await world.submit(inputs={"events": {"count": 200}})
    await world.settle()
    jobs = await world.claim(100)
    verdicts = await asyncio.gather(*(world.report(job) for job in jobs for _ in range(2)))
    assert {verdict.verdict for verdict in verdicts} <= {"accepted", "repeated"}
    await world.settle()
    assert (await world.status(task_id), len(await outputs(world, task_id))) == ("done", 100)
    await invariants.check(world)


async def test_a_report_under_a_false_claim_in_the_same_batch_does_not_touch_the_right_one(world: World) -> None:
    await world.submit()
    await world.settle()
    (job,) = await world.claim()
    busy = asyncio.create_task(world.reporter.report(world.queue_id, []))
    right = asyncio.create_task(world.report(job))
    false = asyncio.create_task(world.report(job, claim_id=uuid4().hex))
    await busy
    assert ((await right).verdict, (await false).verdict) == ("accepted", "refused")


@pytest.mark.parametrize("is_merged", [False, True])
async def test_a_kill_beside_reports_ends_every_job_one_way_or_the_other(world: World, database: Database, is_merged: bool) -> None:
    document: dict[str, Any] = {"inputs": {"events": {"count": 40}}} | ({"merge": MERGE} if is_merged else {})
    task_id = await world.submit(**document)
    await world.settle()
    jobs = await world.claim(12)
    async with open_pool(Options(database.url, max_connections=4), "test") as pool:
        other = another(world, pool)
        await ask(world, "kill", task_id=task_id)
        await asyncio.gather(settle_together(world, other), *(world.report(job) if i % 2 else other.report(job, FAILED) for i, job in enumerate(jobs)))
        await settle_together(world, other)
    assert (await world.status(task_id), await hot(world, task_id)) == ("aborted", {})
    assert sum((await ended(world, task_id)).values()) == 20
    await invariants.check(world)


async def test_a_late_report_and_the_end_of_its_lease_end_the_job_once(world: World, database: Database) -> None:
    task_id = await world.submit(inputs={"events": {"count": 40}})
    await world.settle()
    jobs = await world.claim(20)
    await expire(world)
    async with open_pool(Options(database.url, max_connections=4), "test") as pool:
        other = another(world, pool)
        lost, verdicts = await asyncio.gather(watch(other), asyncio.gather(*(world.report(job) for job in jobs)))
    accepted = [verdict for verdict in verdicts if verdict.verdict == "accepted"]
    assert len(accepted) + lost == 20
    assert await ended(world, task_id) == {k: n for k, n in {"finished": len(accepted), "failed": lost}.items() if n}
    await world.run_all()
    assert (await world.status(task_id), len(await outputs(world, task_id))) == ("done", 20)
    await invariants.check(world)


async def test_two_engines_at_once_make_exactly_the_right_jobs_of_fifty_tasks(world: World, database: Database) -> None:
    await another_queue(world)
    await asyncio.gather(*(world.submit(name=f"t{i}") for i in range(50)))
    async with open_pool(Options(database.url, max_connections=6), "test") as pool:
        await settle_together(world, another(world, pool))
    assert [tuple(row) for row in await rows(world, "SELECT status, count(*) FROM task GROUP BY 1")] == [("running", 50)]
    assert [tuple(row) for row in await rows(world, "SELECT status, count(*), count(DISTINCT task_id) FROM job GROUP BY 1")] == [("activated", 250, 50)]
    covered = await rows(world, "SELECT task_id, first_event AS first, n_events AS n FROM job_spec ORDER BY task_id, first")
    events = {(row["task_id"], event) for row in covered for event in range(row["first"], row["first"] + row["n"])}
    assert len(events) == sum(row["n"] for row in covered) == 500
    await invariants.check(world)


async def test_two_engines_and_two_servers_carry_tasks_of_all_kinds_to_their_end(world: World, database: Database) -> None:
    for i in range(4):
        await world.submit(name=f"e{i}", outputs={"out": "o.txt"}, merge=MERGE)
        await world.submit(name=f"p{i}", retry={"max_attempts": 2})
        await world.submit(**FILES | {"name": f"c{i}", "inputs": {"in": {"task": f"p{i}", "output": "out"}}, "split": {"files_per_job": 2}})
    done = asyncio.Event()

    async def engine(mine: World) -> None:
        while not done.is_set():
            await asyncio.gather(*(step(mine.pool, mine.services) for step in STAGES))
            await asyncio.sleep(0)

    async def pilot(mine: World, number: int) -> None:
        while not done.is_set():
            for job in await mine.claim(2):
                is_bad = job.task_name.startswith("p") and job.attempt == 1 and job.traits.serial == number
                await (mine.report(job, FAILED) if is_bad else mine.report(job))
            await asyncio.sleep(0)

    async def all_ended() -> bool:
        return not await rows(world, "SELECT 1 FROM task WHERE ended_at IS NULL LIMIT 1")

    async def wait() -> None:
        await until(all_ended, "all tasks end", seconds=60)
        done.set()

    async with open_pool(Options(database.url, max_connections=8), "test") as pool:
        other = another(world, pool)
        await asyncio.gather(wait(), engine(world), engine(other), *(pilot((world, other)[i % 2], i + 1) for i in range(4)))
    assert [tuple(row) for row in await rows(world, "SELECT status, count(*) FROM task GROUP BY 1")] == [("done", 12)]
    merges = await rows(world, "SELECT task_id, count(*) AS n FROM job_spec WHERE kind = 'merge' GROUP BY 1")
    assert [row["n"] for row in merges] == [1] * 4, "all outputs of a task are merged by one job"
    await invariants.check(world)


async def test_a_kill_while_jobs_are_being_made_leaves_none_of_them(world: World, database: Database) -> None:
    ids = [await world.submit(name=f"t{i}") for i in range(10)]
    commands = [await ask(world, "kill", task_id=task_id) for task_id in ids[::2]]
    async with open_pool(Options(database.url, max_connections=6), "test") as pool:
        await settle_together(world, another(world, pool))
    assert {await world.status(task_id) for task_id in ids[::2]} == {"aborted"}
    assert {await world.status(task_id) for task_id in ids[1::2]} == {"running"}
    assert {(await answer(world, command)).split()[0] for command in commands} == {"killed:"}
    assert set(await unit_statuses(world, ids[0])) <= {"cancelled"}, "none when the kill came before the listing"
    await invariants.check(world)


async def test_a_dispatcher_serves_claims_of_two_queues_in_one_batch(world: World) -> None:
    await world.submit()
    await world.settle()
    request = ClaimRequest(1, "test", uuid4().hex, "other", "node", memory_mb=4000, disk_mb=10_000, architecture="x86_64")
    dispatcher = Dispatcher(world.pool, world.services)
    mine, other = await asyncio.gather(
        dispatcher.claim(Claim(world.queue_id, replace(request, claim_id=uuid4().hex))), dispatcher.claim(Claim(world.queue_id + 1, request))
    )
    assert (len(mine), len(other)) == (1, 0)


async def test_one_report_that_cannot_be_taken_does_not_fail_the_others_of_its_batch(world: World) -> None:
    await world.submit()
    await world.settle()
    bad, *good = await world.claim(3)
    broken = replace(report_of(bad), outputs=tuple(replace(f, guid="no guid") for f in report_of(bad).outputs))
    reporter = Reporter(world.pool, world.services)
    busy = asyncio.create_task(reporter.report(world.queue_id, []))
    calls = [asyncio.create_task(reporter.report(world.queue_id, [one])) for one in (report_of(good[0]), broken, report_of(good[1]))]
    await busy
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(found[1], asyncpg.PostgresError | asyncpg.InterfaceError)
    assert [one[0].verdict for one in (found[0], found[2]) if isinstance(one, tuple)] == ["accepted", "accepted"]
