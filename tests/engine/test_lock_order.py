"""Writers that meet on the same rows wait for each other in one direction only: no two of them ever stop each other for good.

PostgreSQL finds a deadlock by itself and ends one of the two; here every pair of writers meets on the same tasks, with waits added between their
statements, and the server's own count of deadlocks must stay zero.
"""

import asyncio
import itertools
import os
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from pandawms.domain.codes import Code
from pandawms.domain.errors import Conflict
from pandawms.domain.outcome import outcome
from pandawms.engine.aggregate.step import step as aggregate
from pandawms.engine.broker.step import step as broker
from pandawms.engine.command.step import step as command
from pandawms.engine.define.step import step as define
from pandawms.engine.generate.step import step as generate
from pandawms.engine.place.step import step as place
from pandawms.engine.watch.hearing import hear
from pandawms.engine.watch.step import step as watch
from pandawms.engine.watch.timers import step as timers
from pandawms.store.database import Options, Pool, open_pool
from pandawms.wire.pilot.claim import JobSpec
from pandawms.wire.pilot.heartbeat import JobBeat
from tests.conftest import Database
from tests.engine import invariants
from tests.engine.play import FAILED, FILES, HOPELESS, MERGE, add_queue, ask, expire, rows, value
from tests.world import World, report_of

ROUNDS = int(os.environ.get("PANDA_TEST_LOCK_ROUNDS", "1"))
TABLES = ("job", "task_range", "task_file", "task_dataset", "dataset", "task", "job_file", "merge_group", "job_archive", "allocation", "task_avoid")
OUT_OF_MEMORY, NO_SETUP = outcome(Code.TOO_MUCH_MEMORY), outcome(Code.SETUP_FAILED)
SLOW = """
CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('application_name') IN ('panda-one', 'panda-two') THEN PERFORM pg_sleep(random() * 0.003); END IF;
    RETURN NULL;
END $$;
"""


@dataclass
class Scene:
    """Three tasks whose jobs are in every state, and jobs that pilots hold."""

    world: World
    tasks: list[int]
    held: list[JobSpec]


Writer = Callable[[World, Scene], Awaitable[object]]


async def _report(world: World, scene: Scene) -> None:
    outcomes = [report_of(job) if i % 3 else report_of(job, (FAILED, HOPELESS)[i % 2]) for i, job in enumerate(scene.held)]
    random.shuffle(outcomes)
    await world.reporter.report(world.queue_id, outcomes)


async def _watch(world: World, scene: Scene) -> None:
    await expire(world, *(job.job_id for job in scene.held[::2]))
    await watch(world.pool, world.services)


async def _timers(world: World, scene: Scene) -> None:
    """The clock is a month ahead: all jobs and tasks are over their limits."""
    ahead = datetime.now(UTC) + timedelta(days=30)
    await rows(world, "UPDATE watch_mark SET looked_at = '1970-01-01T00:00:00Z'")
    await timers(world.pool, replace(world.services, clock=lambda: ahead))


async def _kill(world: World, scene: Scene) -> None:
    with suppress(Conflict):
        await ask(world, "kill", task_id=random.choice(scene.tasks))
    while await command(world.pool, world.services):
        pass


async def _kill_jobs(world: World, scene: Scene) -> None:
    for row in await rows(world, "SELECT job_id FROM job WHERE task_id = ANY ($1) ORDER BY random() LIMIT 2", scene.tasks):
        await ask(world, "kill", job_id=row["job_id"])
    while await command(world.pool, world.services):
        pass


async def _command(world: World, scene: Scene, verb: str, **arguments: Any) -> None:
    """A command for one of the tasks, all its rounds."""
    await ask(world, verb, task_id=random.choice(scene.tasks), **arguments)
    while await command(world.pool, world.services):
        pass


def _commands(*given: tuple[str, dict[str, Any]]) -> Writer:
    async def run(world: World, scene: Scene) -> None:
        for verb, arguments in given:
            with suppress(Conflict):  # the other writer of the pair has asked for something
                await _command(world, scene, verb, **arguments)

    return run


async def _recover(world: World, scene: Scene) -> None:
    for row in await rows(world, RECOVERABLE, scene.tasks):
        with suppress(Conflict):
            await ask(world, "recover", task_id=row["task_id"], files=[row["name"]])
        while await command(world.pool, world.services):
            pass


async def _beat(world: World, scene: Scene) -> None:
    await world.reporter.heartbeat(world.queue_id, [JobBeat(job.job_id, job.claim_id, job.attempt, "running") for job in reversed(scene.held)])


def _stage(*steps: Callable[..., Awaitable[int]]) -> Writer:
    async def run(world: World, scene: Scene) -> None:
        for step in steps:
            await step(world.pool, world.services)

    return run


WRITERS: dict[str, Writer] = {
    "report": _report,
    "watch": _watch,
    "kill": _kill,
    "kill_jobs": _kill_jobs,
    "aggregate": _stage(aggregate),
    "generate": _stage(broker, generate),
    "define": _stage(define),
    "beat": _beat,
    "hold": _commands(("pause", {}), ("set", {"priority": 5, "attempts": 1}), ("resume", {})),
    "finish": _commands(("finish", {})),
    "reassign": _commands(("reassign", {"queues": ["local"]})),
    "recover": _recover,
    "place": _stage(place),
    "timers": _timers,
}
SHUT = """WITH shut AS (UPDATE queue SET status = 'offline' WHERE name LIKE 'other%' AND status = 'online' RETURNING queue_id)
INSERT INTO entity_event (entity, entity_id, event, from_status, to_status, who)
SELECT 'queue', queue_id, 'set_offline', 'online', 'offline', 'test' FROM shut"""
RECOVERABLE = """SELECT DISTINCT ON (td.task_id) td.task_id, f.name FROM task_dataset td JOIN file f USING (dataset_id)
WHERE td.task_id = ANY ($1) AND td.role IN ('output', 'transient') ORDER BY td.task_id, f.file_id"""

PAIRS = list(itertools.combinations_with_replacement(WRITERS, 2))


async def _scene(world: World, number: int) -> Scene:
    """A task that merges, one of higher priority, and one that reads that one's output; jobs ended, held and ready, units with an allocation.

    Failures wait for judgement that raise a task's memory and have it avoid a queue, whose allocation is taken back.
    """
    merging, plain, reader = (f"{kind}{number}" for kind in "mpc")
    tasks = [
        await world.submit(name=merging, inputs={"events": {"count": 16}}, outputs={"out": "o.txt", "log": "l.txt"}, merge=MERGE | {"files_per_job": 2}),
        await world.submit(name=plain, inputs={"events": {"count": 16}}, priority=2000),
        await world.submit(**FILES | {"name": reader, "inputs": {"in": {"task": plain, "output": "out"}}}),
    ]
    await world.settle()
    jobs = await world.claim(13)
    await world.reporter.report(world.queue_id, [report_of(job) for job in [*jobs[:2], *jobs[8:10]]])
    await world.settle()
    await world.reporter.report(world.queue_id, [report_of(job, FAILED) for job in [*jobs[2:4], *jobs[10:11]]])
    await world.reporter.report(world.queue_id, [report_of(job) for job in [*jobs[4:5], *jobs[11:12]]])
    await aggregate(world.pool, world.services)
    await define(world.pool, world.services)
    await broker(world.pool, world.services)
    held = [*jobs[5:8], jobs[12], *await world.claim(3)]
    failed = await world.claim(2)
    await add_queue(world, f"other{number}")
    await world.reporter.report(world.queue_id, [report_of(job, how) for job, how in zip(failed, (OUT_OF_MEMORY, NO_SETUP), strict=False)])
    return Scene(world, tasks, held)


async def _deadlocks(database: Database) -> int:
    """How many deadlocks the server has found in this database; all connections that could have met one are closed by now."""
    connection = await asyncpg.connect(database.url)
    try:
        return int(await connection.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))
    finally:
        await connection.close()


async def _slow_down(world: World) -> None:
    await rows(world, SLOW)
    for table in TABLES:
        for when in ("UPDATE", "INSERT", "DELETE"):
            await rows(world, f"CREATE TRIGGER dawdle_{when} AFTER {when} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION dawdle()")


async def _meet(one: World, two: World, scene: Scene, pair: tuple[str, str]) -> None:
    try:
        await asyncio.gather(WRITERS[pair[0]](one, scene), WRITERS[pair[1]](two, scene))
    except asyncpg.DeadlockDetectedError as error:
        raise AssertionError(f"{pair[0]} and {pair[1]} stop each other") from error


def _eager(url: str) -> Options:
    return Options(f"{url}{'&' if '?' in url else '?'}options=-c%20deadlock_timeout%3D20ms", max_connections=3)


@pytest.mark.parametrize("first", WRITERS)
async def test_no_two_writers_ever_stop_each_other_for_good(world: World, database: Database, first: str) -> None:
    await hear(world.pool, world.services)
    await _slow_down(world)
    pairs = [pair for pair in PAIRS if pair[0] == first]
    async with open_pool(_eager(database.url), "one") as one, open_pool(_eager(database.url), "two") as two:
        assert await _setting(one) == "20ms"
        for number, pair in enumerate(pair for pair in pairs for _ in range(ROUNDS)):
            scene = await _scene(world, number)
            random.seed(number)
            await _meet(replace(world, pool=one), replace(world, pool=two), scene, pair)
            await _end(world, scene)
    assert await _deadlocks(database) == 0, pairs
    await world.settle()
    await invariants.check(world)


async def _setting(pool: Pool) -> str:
    async with pool.acquire() as connection:
        return str(await connection.fetchval("SHOW deadlock_timeout"))


async def _end(world: World, scene: Scene) -> None:
    """Kills what is left, and shuts the second queue, so that later rounds do not meet them."""
    while await command(world.pool, world.services):
        pass
    for task_id in scene.tasks:
        await ask(world, "kill", task_id=task_id)
    await world.settle()
    await expire(world)
    await hear(world.pool, world.services)
    await watch(world.pool, world.services)
    await world.settle()
    assert await value(world, "SELECT count(*) FROM job") == 0
    await rows(world, SHUT)
