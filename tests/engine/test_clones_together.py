"""Pilots, servers and engines that meet on copies of jobs: one of each counts, nobody waits for ever, and the books agree."""

import asyncio
import random
from collections.abc import AsyncIterator
from itertools import count

import pytest

from pandawms.domain.outcome import SUCCESS
from pandawms.engine.report.gather import Reporter
from pandawms.store import database as db
from pandawms.wire.pilot.claim import JobSpec
from pandawms.wire.pilot.heartbeat import Phase
from tests.conftest import Database
from tests.engine import invariants
from tests.engine.play import FAILED, ask, lose, outputs, rows, unit_statuses, value
from tests.engine.two_queues import KILLED, Place, Two
from tests.world import World, report_of

SLOW = """
CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_sleep(random() * 0.002);
    RETURN NULL;
END $$;
"""


@pytest.fixture
async def servers(world: World, database: Database) -> AsyncIterator[list[Reporter]]:
    """Two more servers, each with connections of its own."""
    async with db.open_pool(db.Options(database.url, max_connections=4), "one") as one, db.open_pool(db.Options(database.url, max_connections=4), "two") as two:
        yield [Reporter(pool, world.services) for pool in (one, two)]


@pytest.mark.parametrize(("mode", "phase"), [("run_once", "running"), ("store_once", "stage_out")])
async def test_one_copy_of_each_wins_when_all_ask_at_the_same_moment_at_two_servers(two: Two, servers: list[Reporter], mode: str, phase: Phase) -> None:
    n = 40
    task_id = await two.submit(mode, inputs={"events": {"count": 2 * n}})
    asked = [(place, job) for place in (two.here, two.there) for chunk in range(n // 10) for job in await place.claim(10)]
    random.Random(7).shuffle(asked)
    turn = count()
    verdicts = await asyncio.gather(*(place.asks(job, phase, servers[next(turn) % 2]) for place, job in asked * 2))
    winners = {job.job_id for (_, job), verdict in zip(asked * 2, verdicts, strict=True) if verdict == "ok"}
    losers = {job.job_id for (_, job), verdict in zip(asked * 2, verdicts, strict=True) if verdict == "kill"}
    assert winners | losers == {job.job_id for _, job in asked}
    assert not winners & losers
    assert len(winners) == n
    assert {row["lead_job_id"] for row in await rows(two.world, "SELECT lead_job_id FROM clone_group")} == winners
    await invariants.check(two.world)
    ends = [place.says(job, SUCCESS if job.job_id in winners else KILLED) for place, job in asked]
    assert sorted(await asyncio.gather(*ends)) == [("accepted", "finished")] * n + [("repeated", "closed")] * n
    await two.world.settle()
    assert await two.attempts(task_id) == [("finished", 1, 0)] * n
    assert await two.world.status(task_id) == "done"


@pytest.mark.parametrize("mode", ["run_once", "store_once"])
async def test_all_who_meet_on_copies_wait_in_one_direction_only(two: Two, servers: list[Reporter], database: Database, mode: str) -> None:
    """Gates, reports in any order, lost leases, a kill and the engine meet on the same groups, with waits between their statements."""
    chance = random.Random(5)
    await rows(two.world, SLOW)
    for table in ("job", "clone_group", "task_file", "task_dataset"):
        await rows(two.world, f"CREATE TRIGGER dawdle AFTER UPDATE OR DELETE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION dawdle()")
    task_id = await two.submit(mode, inputs={"events": {"count": 48}}, retry={"max_attempts": 5})
    asked = [(place, job) for place in (two.here, two.there) for _ in range(3) for job in await place.claim(8)]

    async def pilot(number: int) -> None:
        mine = chance.sample(asked, 24)
        for part in (mine[:8], mine[8:16], mine[16:]):
            for phase in ("running", "stage_out"):
                await asyncio.gather(*(place.asks(job, phase, servers[number]) for place, job in part))
            reports = {place.queue_id: [report_of(job, chance.choice((SUCCESS, FAILED))) for at, job in part if at is place] for place, _ in part}
            for queue_id, each in reports.items():
                await servers[number].report(queue_id, each)

    async def engine() -> None:
        await lose(two.world, *(job.job_id for _, job in asked[::5]))
        await ask(two.world, "kill", task_id=task_id)
        await two.world.settle()

    await asyncio.gather(pilot(0), pilot(1), engine())
    await asyncio.gather(*(server.pool.close() for server in servers))
    await lose(two.world)
    await two.world.settle()
    assert await two.world.status(task_id) == "aborted"
    assert await value(two.world, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
    await invariants.check(two.world)


@pytest.mark.parametrize("mode", ["run_once", "store_once"])
async def test_whatever_pilots_do_with_copies_every_unit_is_done_once_and_the_books_agree(two: Two, mode: str) -> None:
    chance = random.Random(11)
    task_id = await two.submit(mode, inputs={"events": {"count": 6}}, retry={"max_attempts": 30})
    held: list[tuple[Place, JobSpec]] = []
    for turn in count():
        if await two.world.status(task_id) == "done":
            break
        held += [(place, job) for place in (two.here, two.there) for job in await place.claim(3)]
        if not held:
            await two.world.settle()
        for place, job in chance.sample(held, min(4, len(held))):
            await one_move(chance, two, place, job, held)
        if turn % 4 == 0:
            await invariants.check(two.world)
        await two.world.settle()
    await invariants.check(two.world)
    assert await unit_statuses(two.world, task_id) == {"finished": 3}
    assert len(await outputs(two.world, task_id)) == 3


async def one_move(chance: random.Random, two: Two, place: Place, job: JobSpec, held: list[tuple[Place, JobSpec]]) -> None:
    """A pilot does one of the things that pilots do."""
    lot = chance.random()
    if lot < 0.5:
        if await place.asks(job, chance.choice(("stage_in", "running", "stage_out"))) != "ok":
            held.remove((place, job))
            if lot < 0.4:
                await place.says(job, KILLED)
            else:
                await lose(two.world, job.job_id)
        return
    held.remove((place, job))
    if lot < 0.6:
        await lose(two.world, job.job_id)
    else:
        await place.says(job, SUCCESS if lot < 0.8 else FAILED)
