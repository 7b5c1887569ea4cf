"""Migrations are applied once, in order, each whole, by one runner at a time; what was applied never changes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from pandawms.domain.errors import Conflict
from pandawms.store.database import Own
from pandawms.store.migrations import runner
from tests.conftest import Database


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Own]:
    """A connection for the length of a block."""
    connection: Own = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


def test_migrations_are_numbered_from_one_without_a_gap() -> None:
    found = runner.migrations()
    assert [migration.number for migration in found] == list(range(1, len(found) + 1))
    assert found[0].phase == "pre"


@pytest.mark.parametrize("name", ["00001_pre_foundation.sql", "00123_post_drop_old_column.sql"])
def test_a_right_name_is_taken(name: str) -> None:
    assert runner.NAME.match(name)


@pytest.mark.parametrize("name", ["1_pre_x.sql", "00001_mid_x.sql", "00001_pre_X.sql", "00001_pre_.sql", "00001-pre-x.sql", "00001_pre_x.sql.bak"])
def test_a_wrong_name_is_not_taken(name: str) -> None:
    assert runner.NAME.match(name) is None


async def test_an_empty_database_lacks_everything_and_after_an_upgrade_nothing(empty_database_url: str) -> None:
    async with connected(empty_database_url) as connection:
        before = await runner.state(connection)
        assert (before.applied, before.missing, before.is_current) == ((), runner.migrations(), False)
        assert await runner.upgrade(connection) == runner.migrations()
        assert (await runner.state(connection)).is_current


async def test_a_second_upgrade_does_nothing(empty_database_url: str) -> None:
    async with connected(empty_database_url) as connection:
        await runner.upgrade(connection)
        assert await runner.upgrade(connection) == ()


async def test_of_two_upgrades_at_once_one_does_the_work_and_the_other_waits(empty_database_url: str) -> None:
    async with connected(empty_database_url) as one, connected(empty_database_url) as two:
        done = await asyncio.gather(runner.upgrade(one), runner.upgrade(two))
        assert sorted(map(len, done)) == [0, len(runner.migrations())]
        assert (await runner.state(one)).is_current


async def test_an_applied_migration_that_was_changed_is_refused(empty_database_url: str) -> None:
    async with connected(empty_database_url) as connection:
        await runner.upgrade(connection)
        await connection.execute("UPDATE migration SET digest = 'other' WHERE number = 1")
        assert [migration.number for migration in (await runner.state(connection)).changed] == [1]
        with pytest.raises(Conflict) as caught:
            await runner.upgrade(connection)
        assert caught.value.code == "migration.changed"
        await connection.execute("UPDATE migration SET digest = $1 WHERE number = 1", runner.migrations()[0].digest)
        assert await runner.upgrade(connection) == (), "a refusal does not keep the lock"


async def test_a_database_of_a_newer_release_is_told_apart(empty_database_url: str) -> None:
    async with connected(empty_database_url) as connection:
        await runner.upgrade(connection)
        await connection.execute("INSERT INTO migration (number, phase, name, digest) VALUES (99999, 'pre', 'future', 'x')")
        found = await runner.state(connection)
        assert (found.unknown, found.is_current) == ((99999,), False)


async def test_only_the_phases_that_were_asked_for_are_applied(empty_database_url: str) -> None:
    async with connected(empty_database_url) as connection:
        assert await runner.upgrade(connection, ("post",)) == tuple(m for m in runner.migrations() if m.phase == "post")
        assert await connection.fetchval("SELECT to_regclass('task')") is None


async def test_the_schema_that_tests_run_on_is_the_sum_of_the_migrations(database: Database) -> None:
    async with database.pool.acquire() as connection:
        assert (await runner.state(connection)).is_current
