"""Growing inputs: what is new is found by what it costs, nothing is missed, and nobody waits for a listing."""

import asyncio

from pandawms.engine.define.step import step as define
from pandawms.store import commands, counters, listing
from pandawms.store.database import Options, open_pool
from pandawms.wire.selection import Choice, Cut
from tests.conftest import Database
from tests.engine import invariants
from tests.engine.play import FAILED, FILES, add_dataset, add_files, close_dataset, hot, rows, value
from tests.waiting import until_waits_for
from tests.world import World

GATE = 4713
WAIT_AT_GATE = f"""CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF current_setting('application_name') = 'panda-listing' THEN PERFORM pg_advisory_xact_lock_shared({GATE}); END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER wait_at_gate AFTER INSERT ON task_file FOR EACH STATEMENT EXECUTE FUNCTION wait_at_gate()"""
LATE = """WITH late AS (
    INSERT INTO file (file_id, dataset_id, scope, name, guid, size_bytes, adler32) OVERRIDING SYSTEM VALUE
    VALUES ($1, $2, 'user.ada', 'late', gen_random_uuid(), 100, '\\x00000001')
) UPDATE dataset SET n_files = n_files + 1, n_bytes = n_bytes + 100 WHERE dataset_id = $2"""
SLOW = """
CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_sleep(0.3);
    RETURN NULL;
END $$;
CREATE TRIGGER dawdle AFTER INSERT ON task_file EXECUTE FUNCTION dawdle();
"""


async def _growing(world: World, n_files: int = 3) -> tuple[int, int, int]:
    """A task whose input was listed and may grow: the task, its input, and the dataset."""
    dataset_id = await add_dataset(world, n_files, is_open=True)
    task_id = await world.submit(**FILES, scouts={"jobs": 0})
    await define(world.pool, world.services)
    return task_id, await value(world, "SELECT task_dataset_id FROM task_dataset WHERE task_id = $1 AND is_master", task_id), dataset_id


async def _n_listed(world: World, task_id: int) -> int:
    await define(world.pool, world.services)
    return (await world.progress(task_id)).n_listed


async def test_a_file_that_came_behind_a_later_one_is_found(world: World) -> None:
    task_id, _, dataset_id = await _growing(world)
    late_id = await value(world, "SELECT nextval('file_file_id_seq')")
    await add_files(world, dataset_id, 2, 10)
    assert await _n_listed(world, task_id) == 5
    await rows(world, LATE, late_id, dataset_id)
    assert await _n_listed(world, task_id) == 6
    await add_files(world, dataset_id, 1, 20)
    assert await _n_listed(world, task_id) == 7


async def test_a_file_that_came_while_another_went_is_found_when_the_dataset_is_closed(world: World) -> None:
    task_id, _, dataset_id = await _growing(world)
    late_id = await value(world, "SELECT nextval('file_file_id_seq')")
    await add_files(world, dataset_id, 2, 10)
    assert await _n_listed(world, task_id) == 5
    await rows(world, LATE, late_id, dataset_id)
    await rows(world, "UPDATE dataset SET n_files = n_files - 1 WHERE dataset_id = $1", dataset_id)  # as if one had been lost
    await add_files(world, dataset_id, 1, 20)
    assert await _n_listed(world, task_id) == 6, "the counts agree, so that only the new file is seen"
    await rows(world, "UPDATE dataset SET n_files = n_files + 1 WHERE dataset_id = $1", dataset_id)
    await close_dataset(world, dataset_id)
    assert (await _n_listed(world, task_id), (await world.progress(task_id)).is_complete) == (7, True)
    await invariants.check(world)


async def test_only_new_files_are_looked_at_where_all_are_taken_as_they_come(world: World) -> None:
    task_id, input_id, dataset_id = await _growing(world)
    await rows(world, "UPDATE file SET name = name || '.other' WHERE dataset_id = $1", dataset_id)
    await rows(world, "DELETE FROM task_range WHERE task_id = $1", task_id)
    await rows(world, "DELETE FROM task_file WHERE task_id = $1 AND number < 3", task_id)  # as if they had never been listed
    await add_files(world, dataset_id, 1, 10)
    async with world.pool.acquire() as connection, connection.transaction():
        assert (await listing.list_files(connection, task_id, input_id, Choice(), Cut(3))).n_units == 1
    await add_files(world, dataset_id, 1, 11)
    async with world.pool.acquire() as connection, connection.transaction():
        found = await listing.list_files(connection, task_id, input_id, Choice(sorting="name"), Cut(3))
    assert found.n_units == 3, "an order of its own is that of all files"


async def test_counters_change_while_an_input_is_looked_through(world: World, database: Database) -> None:
    task_id, input_id, dataset_id = await _growing(world)
    async with world.pool.acquire() as connection:
        await connection.execute(WAIT_AT_GATE)
    await add_files(world, dataset_id, 1, 10)
    async with open_pool(Options(database.url, max_connections=3), "listing") as pool, world.pool.acquire() as guard:
        async with guard.transaction():
            await guard.execute(f"SELECT pg_advisory_xact_lock({GATE})")
            feeding = asyncio.create_task(define(pool, world.services))
            await until_waits_for(world.pool, await guard.fetchval("SELECT pg_backend_pid()"))
            await rows(world, "SELECT 1 FROM task_dataset WHERE task_dataset_id = $1 FOR NO KEY UPDATE NOWAIT", input_id)
            assert await define(world.pool, world.services) == 0, "another engine leaves it alone"
        assert await feeding == 1
    assert (await world.progress(task_id)).n_listed == 4


async def test_a_dataset_that_opens_again_while_its_reader_is_listed_leaves_that_open(world: World) -> None:
    task_id, input_id, dataset_id = await _growing(world)
    await close_dataset(world, dataset_id)
    async with world.pool.acquire() as connection, world.pool.acquire() as other, connection.transaction():
        await counters.lock_inputs(connection, [input_id])
        feeding = asyncio.create_task(define(world.pool, world.services))
        await until_waits_for(world.pool, await connection.fetchval("SELECT pg_backend_pid()"))
        await other.execute("UPDATE dataset SET is_open = true, closed_at = NULL WHERE dataset_id = $1", dataset_id)
    await feeding
    assert not (await world.progress(task_id)).is_complete


async def test_a_long_listing_of_all_files_is_not_repeated_at_once(world: World) -> None:
    task_id, input_id, dataset_id = await _growing(world)
    await add_files(world, dataset_id, 1, 10)
    async with world.pool.acquire() as connection:
        await connection.execute(SLOW)
        async with connection.transaction():
            await listing.list_files(connection, task_id, input_id, Choice(sorting="name"), Cut(3))
        await connection.execute("DROP TRIGGER dawdle ON task_file")
    await add_files(world, dataset_id, 1, 11)
    assert await _n_listed(world, task_id) == 4
    await rows(world, "UPDATE task_dataset SET next_listing_at = now() WHERE task_dataset_id = $1 AND next_listing_at > now() + interval '500 ms'", input_id)
    assert await _n_listed(world, task_id) == 5


async def test_jobs_of_a_limited_task_are_counted_as_they_are_made_and_not_anew_for_each_part(world: World) -> None:
    dataset_id = await add_dataset(world, 2, is_open=True)
    task_id = await world.submit(**FILES | {"split": {"files_per_job": 1, "max_jobs": 5}}, scouts={"jobs": 0}, retry={"max_attempts": 2})
    await world.settle()
    kept = "SELECT n_first_jobs FROM task WHERE task_id = $1"
    assert await value(world, kept, task_id) == 2
    for job in await world.claim(2):
        await world.report(job, FAILED)
    await world.settle()
    assert (await hot(world, task_id), await value(world, kept, task_id)) == ({"activated": 2}, 2), "another attempt is no first one"
    await rows(world, "UPDATE task SET n_first_jobs = 4 WHERE task_id = $1", task_id)
    await add_files(world, dataset_id, 3, 2)
    await world.settle()
    assert (await hot(world, task_id), await value(world, kept, task_id)) == ({"activated": 3}, 5)
    assert (await world.progress(task_id)).n_listed == 3


async def test_a_listing_that_waited_for_the_counters_puts_off_no_other(world: World) -> None:
    _, input_id, dataset_id = await _growing(world)
    async with world.pool.acquire() as connection:
        await commands.relist(connection, [input_id])  # as a recovery does: all files are looked at again
    await add_files(world, dataset_id, 1, 10)
    async with world.pool.acquire() as holder, holder.transaction():
        await counters.lock_inputs(holder, [input_id])
        feeding = asyncio.create_task(define(world.pool, world.services))
        await until_waits_for(world.pool, await holder.fetchval("SELECT pg_backend_pid()"))
        await holder.execute("SELECT pg_sleep(0.3)")  # longer than a listing that counts as costly
    await feeding
    assert await value(world, "SELECT next_listing_at FROM task_dataset WHERE task_dataset_id = $1", input_id) is None
