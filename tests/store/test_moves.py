"""Every change of status is a compare-and-set with its line in the log: from a wrong status nothing changes and nothing is written."""

from pandawms.domain.job import JOB, LEASED, QUEUED, JobEvent, JobStatus
from pandawms.domain.outcome import SUCCESS
from pandawms.domain.task import INTERLUDES, TASK, TaskEvent, TaskStatus
from pandawms.domain.worker import WORKER, WorkerEvent, WorkerStatus
from pandawms.store import endings, jobs, leases, tasks, workers
from pandawms.store.database import Connection
from pandawms.store.endings import Ending
from tests.world import World


async def events_of(connection: Connection, entity: str) -> list[tuple[str, str | None, str]]:
    """The last lines of a log, newest first."""
    found = await connection.fetch(f"SELECT event, from_status, to_status FROM {entity}_event ORDER BY event_id DESC LIMIT 2")
    return [(row["event"], row["from_status"], row["to_status"]) for row in found]


async def count(connection: Connection, table: str) -> int:
    """How many rows a table has."""
    return int(await connection.fetchval(f"SELECT count(*) FROM {table}"))


async def test_a_task_moves_as_the_table_says_from_every_status_by_every_event_and_not_otherwise(world: World) -> None:
    task_id = await world.submit()
    async with world.pool.acquire() as connection:
        for status in TaskStatus:
            for event in TaskEvent:
                transaction = connection.transaction()
                await transaction.start()
                await connection.execute("UPDATE task SET status = $1::text, ended_at = CASE WHEN $2 THEN now() END", str(status), status in TASK.final)
                before = await count(connection, "task_event")
                expected = TASK.transitions.get((status, event))
                assert await tasks.move(connection, task_id, event, "test", {"text": "why"}) == expected
                now = await connection.fetchrow("SELECT status, previous_status, ended_at FROM task")
                assert now is not None
                assert now["status"] == str(expected or status)
                assert await count(connection, "task_event") == before + (expected is not None)
                if expected is not None:
                    assert (await events_of(connection, "task"))[0] == (str(event), str(status), str(expected))
                    assert (now["ended_at"] is not None) == (expected in TASK.final)
                    assert now["previous_status"] == (None if status in INTERLUDES else str(status)), "interludes keep what was before"
                await transaction.rollback()


async def test_a_job_without_a_lease_moves_only_from_where_the_event_may_happen(world: World) -> None:
    await world.submit(inputs={"events": {"count": 2}})
    await world.settle()
    async with world.pool.acquire() as connection:
        job_id = await connection.fetchval("SELECT job_id FROM job")
        for status in sorted(QUEUED):
            for event in (JobEvent.ACTIVATE, JobEvent.REQUEST_DATA, JobEvent.PAUSE, JobEvent.RESUME):
                transaction = connection.transaction()
                await transaction.start()
                await connection.execute("UPDATE job SET status = $1::text, waits_for = 1", str(status))
                before = await count(connection, "job_event")
                moved = await jobs.move(connection, [job_id], event, "test")
                expected = JOB.transitions.get((status, event))
                assert [row[0] for row in moved] == ([job_id] if expected else [])
                assert await connection.fetchval("SELECT status FROM job") == str(expected or status)
                assert await count(connection, "job_event") == before + (expected is not None)
                await transaction.rollback()


async def test_only_a_ready_job_can_be_claimed_and_only_a_leased_one_can_be_held(world: World) -> None:
    await world.submit(inputs={"events": {"count": 2}})
    await world.settle()
    async with world.pool.acquire() as connection:
        for status in sorted(set(JobStatus) - JOB.final - {JobStatus.ACTIVATED}):
            await connection.execute(
                "UPDATE job SET status = $1::text, waits_for = 1, claim_id = gen_random_uuid(), lease_expires_at = CASE WHEN $2 THEN now() END",
                str(status), status in LEASED,
            )  # fmt: skip
            job_id, claim = (await connection.fetch("SELECT job_id, claim_id FROM job"))[0]
            assert await world.claim() == ()
            key = (job_id, claim.hex, world.queue_id)
            end = Ending(job_id, JobEvent.FINISH, JobStatus.FINISHED, SUCCESS)
            for held in (leases.beat(connection, {key: "running"}, 30), endings.end_leased(connection, {key: end}, {}, "test")):
                transaction = connection.transaction()
                await transaction.start()
                assert bool(await held) == (status in LEASED)
                await transaction.rollback()


async def test_a_worker_moves_only_from_the_statuses_that_are_named(world: World) -> None:
    async with world.pool.acquire() as connection:
        worker_id = await workers.add(connection, world.queue_id, "local", "test")
        for status in WorkerStatus:
            for event in WorkerEvent:
                sources = WORKER.sources(event)
                if not sources:
                    continue
                (target,) = {WORKER.next_status(source, event) for source in sources}
                transaction = connection.transaction()
                await transaction.start()
                await connection.execute("UPDATE worker SET status = $1::text, ended_at = CASE WHEN $2 THEN now() END", str(status), status in WORKER.final)
                before = await count(connection, "entity_event")
                may = status in sources
                assert await workers.change(connection, worker_id, sources, target, str(event), "test") == may
                assert await connection.fetchval("SELECT status FROM worker") == str(target if may else status)
                assert await count(connection, "entity_event") == before + (may and status != target)
                await transaction.rollback()
