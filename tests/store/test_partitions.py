"""Room is made, and taken away, beside jobs that are made, run and end: neither waits for the other."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from pandawms.store import partitions
from pandawms.store.database import Connection
from pandawms.store.partitions import OF_JOBS, Range
from tests.conftest import Database

MILLION = 1_000_000
LIFE = """
INSERT INTO job_spec (job_id, task_id, version, kind, attempt) SELECT $1, 1, 1, 'run', 1;
INSERT INTO job_event (job_id, task_id, event, to_status, who) SELECT $1, 1, 'create', 'defined', 'test';
INSERT INTO job_file (job_id, n, task_id, role, task_dataset_id) SELECT $1, 0, 1, 'input', 1;
INSERT INTO job_archive (job_id, task_id, community_id, share_id, queue_id, requirement_id, attempt, status, error_domain, error_code, message, is_retryable)
SELECT $1, 1, 1, 1, 1, 1, 1, 'finished', 'none', 0, '', false;
SELECT count(*) FROM job_spec JOIN job_archive USING (job_id) JOIN job_event USING (job_id) JOIN job_file USING (job_id) WHERE job_id = $1;
"""


async def live(connection: Connection, job_id: int) -> None:
    """Writes and reads what a job leaves in every partitioned table."""
    for statement in filter(str.strip, LIFE.split(";")):
        await connection.fetch(statement, job_id)


@asynccontextmanager
async def impatient(database: Database) -> AsyncIterator[Connection]:
    """A connection that does not wait for locks."""
    async with database.pool.acquire() as connection:
        await connection.execute("SET lock_timeout = '200ms'")
        try:
            yield connection
        finally:
            await connection.execute("RESET lock_timeout")


async def test_making_partitions_does_not_wait_for_jobs_under_way(database: Database) -> None:
    async with database.pool.acquire() as busy, impatient(database) as maker:
        transaction = busy.transaction()
        await transaction.start()
        await live(busy, 1)
        await maker.execute(f"SELECT setval('job_id', {5 * MILLION})")
        async with maker.transaction():
            assert await partitions.make_ahead(maker) == 4 * len(OF_JOBS), "the one in use and three more"
        await live(busy, 2)
        await transaction.commit()
        await live(maker, 8 * MILLION)


async def test_jobs_do_not_wait_for_partitions_that_are_being_made(database: Database) -> None:
    async with database.pool.acquire() as maker, impatient(database) as busy:
        await maker.execute(f"SELECT setval('job_id', {5 * MILLION})")
        transaction = maker.transaction()
        await transaction.start()
        assert await partitions.make_ahead(maker) > 0
        async with busy.transaction():
            await live(busy, 1)
        await transaction.commit()
        await live(busy, 5 * MILLION)


async def test_two_watches_do_not_make_the_same_partition_twice(database: Database) -> None:
    async with database.pool.acquire() as one, impatient(database) as two:
        await one.execute(f"SELECT setval('job_id', {5 * MILLION})")
        transaction = one.transaction()
        await transaction.start()
        assert await partitions.make_ahead(one) > 0
        assert await partitions.make_ahead(two) == 0
        await transaction.commit()
        assert await partitions.make_ahead(two) == 0


async def test_what_is_attached_has_the_indexes_and_checks_of_its_table(database: Database) -> None:
    async with database.pool.acquire() as connection:
        await connection.execute(f"SELECT setval('job_id', {5 * MILLION})")
        await partitions.make_ahead(connection)
        for parent in OF_JOBS:
            wanted = await connection.fetchval("SELECT count(*) FROM pg_index WHERE indrelid = $1::regclass", parent)
            found = await connection.fetchval(
                "SELECT count(*) FROM pg_index i JOIN pg_inherits h ON h.inhrelid = i.indexrelid WHERE i.indrelid = $1::regclass", f"{parent}_{6 * MILLION}"
            )
            assert found == wanted
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute("INSERT INTO job_file (job_id, n, task_id, role, task_dataset_id) SELECT 6000000, 0, 1, 'nonsense', 1")


async def test_a_partition_is_taken_out_beside_jobs_of_others(database: Database) -> None:
    async with database.pool.acquire() as dropper, impatient(database) as busy:
        await live(busy, 1)
        for parent in OF_JOBS:
            assert await partitions.drop(dropper, parent, 0)
            assert await partitions.ranges(dropper, parent) == [Range(n * MILLION, (n + 1) * MILLION) for n in (1, 2, 3)]
            assert not await partitions.drop(dropper, parent, 0)
        await live(busy, MILLION)


async def test_a_detach_that_was_cut_off_is_finished_by_the_next(database: Database) -> None:
    async with database.pool.acquire() as reader, database.pool.acquire() as dropper, impatient(database) as busy:
        transaction = reader.transaction()
        await transaction.start()
        await reader.fetch("SELECT 1 FROM job_spec WHERE job_id = 1")
        await dropper.execute("SET statement_timeout = '300ms'")
        with pytest.raises(asyncpg.QueryCanceledError):
            await partitions.drop(dropper, "job_spec", 0)
        await dropper.execute("RESET statement_timeout")
        assert await partitions.ranges(dropper, "job_spec") == [Range(n * MILLION, (n + 1) * MILLION) for n in (1, 2, 3)], "it counts no more"
        await live(busy, MILLION)
        await transaction.commit()
        assert await partitions.drop(dropper, "job_spec", 0)
        assert await dropper.fetchval("SELECT to_regclass('job_spec_0')") is None


async def test_no_foreign_key_ends_or_begins_at_a_partitioned_table(database: Database) -> None:
    async with database.pool.acquire() as connection:
        found = await connection.fetch(
            "SELECT conname FROM pg_constraint k JOIN pg_class a ON a.oid = k.conrelid JOIN pg_class b ON b.oid = k.confrelid"
            " WHERE k.contype = 'f' AND 'p' IN (a.relkind, b.relkind)"
        )
        assert found == [], "attaching a partition would lock the table at its other end"
        parents = await connection.fetch("SELECT partrelid::regclass::text AS name FROM pg_partitioned_table")
        assert {row["name"] for row in parents} == {*OF_JOBS, "task_event"}
