"""The clock: deadlines, wakes and limits of every status, by a clock that the test turns; nothing stands still without a reason."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pandawms.domain.job import DWELL as OF_JOBS
from pandawms.domain.job import LEASED, QUEUED, JobStatus
from pandawms.domain.task import TaskEvent
from pandawms.engine.explain import read as explaining
from pandawms.engine.watch.timers import step as timers
from pandawms.store import tasks
from tests.engine import invariants
from tests.engine.play import MERGE, ended, hot, rows, told, unit_statuses, value
from tests.world import World

Turn = Callable[..., World]


@pytest.fixture
def turned(world: World) -> Turn:
    """Gives the world with its clock ahead by so much."""

    def turn(**ahead: float) -> World:
        then = datetime.now(UTC) + timedelta(**ahead)
        return replace(world, services=replace(world.services, clock=lambda: then))

    return turn


async def look(world: World) -> int:
    """One whole look of the clock, whenever the last one was."""
    await rows(world, "UPDATE watch_mark SET looked_at = '1970-01-01T00:00:00Z', after_id = 0")
    return await timers(world.pool, world.services)


async def move(world: World, task_id: int, *events: TaskEvent, why: dict[str, Any] | None = None) -> None:
    """Moves a task by events."""
    async with world.pool.acquire() as connection, connection.transaction():
        for event in events:
            assert await tasks.move(connection, task_id, event, "test", why) is not None, event


async def reason(world: World, task_id: int) -> dict[str, Any]:
    """The reason that is kept with a task."""
    return dict(await value(world, "SELECT reason FROM task WHERE task_id = $1", task_id) or {})


async def test_a_task_ends_with_what_is_there_when_its_deadline_comes(world: World, turned: Turn) -> None:
    task_id = await world.submit(expires_after_seconds=3600)
    await world.settle()
    (job,) = await world.claim()
    await world.report(job)
    assert await look(turned(minutes=59)) == 0
    assert await look(turned(minutes=61)) == 1
    await world.settle()
    assert (await world.status(task_id), await ended(world, task_id)) == ("finished", {"cancelled": 4, "finished": 1})
    found = await rows(world, "SELECT event, who, why FROM task_event WHERE task_id = $1 AND to_status = 'finishing'", task_id)
    assert [(row["event"], row["who"]) for row in found] == [("auto_finish", "watch")]
    assert found[0]["why"]["text"].startswith("its deadline has come: ")
    await told(world, "retry", task_id)
    await world.settle()
    assert await look(turned(minutes=30)) == 0, "another round has the whole time again"
    await invariants.check(world)


async def test_no_task_gets_older_than_it_may(world: World, turned: Turn) -> None:
    task_id = await world.submit()
    await world.settle()
    old = turned(days=11)
    assert await look(turned(days=1)) == 0
    await look(replace(old, services=replace(old.services, options=replace(old.services.options, task_days=10))))
    await world.settle()
    assert await world.status(task_id) == "failed"
    await invariants.check(world)


async def test_a_pending_task_is_woken_every_twenty_minutes_and_gives_up_after_a_week(world: World, turned: Turn) -> None:
    task_id = await world.submit(queues=["local"])
    await move(world, task_id, TaskEvent.REFINE, TaskEvent.WAIT, why={"code": "input.away", "text": "not there yet"})
    assert await look(turned(minutes=19)) == 0
    await look(turned(minutes=21))
    assert (await world.status(task_id), (await reason(world, task_id))["text"]) == ("defined", "not there yet")
    await move(world, task_id, TaskEvent.WAIT, why={"code": "input.away", "text": "not there yet"})
    await rows(world, "UPDATE task SET pending_since = now() - interval '6 days 23 hours'")
    await look(turned(minutes=5))
    assert await world.status(task_id) == "pending"
    await look(turned(hours=2))
    found = await reason(world, task_id)
    assert (await world.status(task_id), found["code"]) == ("exhausted", "task.expired")
    assert found["text"].endswith(": not there yet")
    await invariants.check(world)


@pytest.mark.parametrize(("before", "after"), [("registered", "registered"), ("defined", "defined"), ("running", "ready")])
async def test_a_pending_task_is_woken_where_it_was(world: World, turned: Turn, before: str, after: str) -> None:
    task_id = await world.submit()
    await rows(world, "UPDATE task SET status = 'pending', previous_status = $2 WHERE task_id = $1", task_id, before)
    await look(turned(minutes=21))
    assert await world.status(task_id) == after


async def test_an_exhausted_task_is_finished_when_nobody_decides_for_a_month(world: World, turned: Turn) -> None:
    task_id = await world.submit()
    await world.settle()
    (job,) = await world.claim()
    await world.report(job)
    await move(world, task_id, TaskEvent.EXHAUST, why={"code": "x", "text": "no use"})
    assert await look(turned(days=29)) == 4 + 0, "its ready jobs wait no longer than two days"
    await look(turned(days=31))
    await world.settle()
    assert await world.status(task_id) == "finished"
    await invariants.check(world)


async def test_a_throttle_ends(world: World, turned: Turn) -> None:
    task_id = await world.submit()
    await world.settle()
    await move(world, task_id, TaskEvent.THROTTLE, why={"code": "cap", "text": "over a cap"})
    await look(turned(hours=25))
    assert await world.status(task_id) == "ready"


async def test_a_job_that_no_pilot_takes_is_brokered_again_and_the_attempt_does_not_count(world: World, turned: Turn) -> None:
    task_id = await world.submit(retry={"max_attempts": 1})
    await world.settle()
    assert await look(turned(hours=47)) == 0
    assert await look(turned(hours=49)) == 5
    assert (await ended(world, task_id), await unit_statuses(world, task_id)) == ({"closed": 5}, {"ready": 5})
    assert set(await _codes(world)) == {("task", 102)}
    await world.settle()
    assert await hot(world, task_id) == {"activated": 5}
    assert len(await world.run_all()) == 5
    assert await world.status(task_id) == "done"
    await invariants.check(world)


async def _codes(world: World) -> list[tuple[str, int]]:
    return [(row["error_domain"], row["error_code"]) for row in await rows(world, "SELECT error_domain, error_code FROM job_archive ORDER BY job_id")]


@pytest.mark.parametrize("status", [status for status in JobStatus if status in OF_JOBS and status is not JobStatus.MERGING])
async def test_every_status_of_a_job_has_an_end(world: World, turned: Turn, status: JobStatus) -> None:
    await world.submit()
    await world.settle()
    (job,) = await world.claim()
    limit = OF_JOBS[status].seconds
    assert limit is not None
    is_leased = status in LEASED
    await rows(
        world, "UPDATE job SET status = $2, waits_for = 1, lease_expires_at = CASE WHEN $3 THEN lease_expires_at END WHERE job_id = $1",
        job.job_id, str(status), is_leased,
    )  # fmt: skip
    before = await look(turned(seconds=limit - 60))
    after = await look(turned(seconds=limit + 60))
    found = await rows(world, "SELECT status, message FROM job_archive WHERE job_id = $1", job.job_id)
    assert [row["status"] for row in found] == ["closed" if status in QUEUED else "failed"], (before, after)
    assert f"{status} since" in found[0]["message"]


async def test_a_held_job_of_a_paused_task_and_a_job_of_a_stopped_queue_do_not_age(world: World, turned: Turn) -> None:
    task_id = await world.submit()
    await world.settle()
    await told(world, "pause", task_id)
    assert await look(turned(days=9)) <= 1, "the task is told to wait for somebody's word, no job ends"
    assert await hot(world, task_id) == {"throttled": 5}
    await told(world, "resume", task_id)
    await rows(world, "UPDATE queue SET status = 'paused'")
    await look(turned(days=9))
    assert await hot(world, task_id) == {"activated": 5}


async def test_a_task_that_stands_still_says_so_until_it_goes_on(world: World, turned: Turn) -> None:
    task_id = await world.submit()
    assert await look(turned(minutes=59)) == 0
    assert await look(turned(minutes=61)) == 1
    found = await reason(world, task_id)
    assert (found["code"], found["text"].endswith(", which no stage has ended")) == ("stuck.registered", True)
    assert datetime.fromisoformat(found["since"]) < datetime.now(UTC)
    assert await look(turned(minutes=62)) == 0, "once is enough"
    async with world.pool.acquire() as connection:
        task = await tasks.get(connection, task_id)
        assert task is not None
        why = await explaining.task(connection, task)
    assert "stuck.registered" in {cause.code for cause in why.causes}
    await world.settle()
    assert await reason(world, task_id) == {}
    await invariants.check(world)


async def test_a_running_task_without_jobs_says_so_and_no_longer_when_it_has_some(world: World, turned: Turn) -> None:
    task_id = await world.submit()
    await world.settle()
    assert await look(turned(hours=2)) == 0, "its jobs have limits of their own"
    await rows(world, "CREATE TABLE aside AS SELECT * FROM job")
    columns = "job_id, task_id, community_id, share_id, queue_id, requirement_id, priority, waits_for, attempt, status"
    await rows(world, "DELETE FROM job")
    assert await look(turned(hours=2)) == 1
    assert (await reason(world, task_id))["code"] == "stuck.running"
    await rows(world, f"INSERT INTO job ({columns}) SELECT {columns} FROM aside")
    assert await look(turned(hours=2)) == 1
    assert await reason(world, task_id) == {}


async def test_outputs_that_wait_long_for_a_merge_are_told(world: World, turned: Turn) -> None:
    task_id = await world.submit(outputs={"out": "o.txt"}, merge=MERGE)
    await world.settle()
    for job in await world.claim(2):
        await world.report(job)
    await world.settle()
    assert await look(turned(minutes=119)) == 0
    assert await look(turned(minutes=121)) == 1
    found = await reason(world, task_id)
    assert (found["code"], found["text"].startswith("the outputs of 2 jobs have waited for a merge job since")) == ("stuck.merging", True)
    assert (await hot(world, task_id))["merging"] == 2


async def test_the_clock_does_not_ask_for_what_is_pending_already(world: World, turned: Turn) -> None:
    task_id = await world.submit(expires_after_seconds=60)
    await world.settle()
    for _ in range(3):
        await look(turned(minutes=2))
    assert await value(world, "SELECT count(*) FROM command WHERE task_id = $1", task_id) == 1


async def test_a_look_at_many_jobs_goes_on_where_it_ended(world: World, turned: Turn) -> None:
    await world.submit(inputs={"events": {"count": 4500}}, split={"events_per_job": 1}, scouts={"jobs": 0})
    await world.settle()
    late = turned(hours=49)
    await rows(world, "UPDATE watch_mark SET looked_at = '1970-01-01T00:00:00Z', after_id = 0")
    ended_each = [await timers(late.pool, late.services) for _ in range(4)]
    assert ended_each == [2000, 2000, 500, 0]
