"""Pools of three kinds: each sets on its connections what its statements need and no more."""

from pathlib import Path

import asyncpg
import pytest

from pandawms.main import settings
from pandawms.main.settings import ArchiveSettings, DatabaseSettings, Settings
from pandawms.store.database import Connection, Options, connect, open_pool

PLANNER = ("plan_cache_mode", "enable_seqscan", "enable_hashjoin", "enable_mergejoin")


async def shown(connection: Connection, *names: str) -> dict[str, str]:
    """The session's settings of these names."""
    return {name: await connection.fetchval("SELECT current_setting($1)", name) for name in names}


async def test_a_connection_of_the_hot_path_plans_once_and_by_indexes(database_url: str) -> None:
    options = Options(database_url, hot_connections=2, hot_statement_seconds=3)
    async with open_pool(options, "test", hot=True) as pool, pool.acquire() as one, pool.acquire():
        assert await shown(one, *PLANNER) == dict(zip(PLANNER, ("force_generic_plan", "off", "off", "off"), strict=True))
        assert await shown(one, "statement_timeout", "idle_in_transaction_session_timeout") == {
            "statement_timeout": "3s",
            "idle_in_transaction_session_timeout": "10s",
        }
        assert pool.get_max_size() == 2


async def test_an_ordinary_connection_plans_as_it_likes(database_url: str) -> None:
    async with open_pool(Options(database_url), "test") as pool, pool.acquire() as connection:
        assert await shown(connection, *PLANNER) == dict(zip(PLANNER, ("auto", "on", "on", "on"), strict=True))


async def test_a_connection_for_lists_changes_nothing_and_is_cut_off(database_url: str, tmp_path: Path) -> None:
    given = Settings(database=DatabaseSettings(url="postgresql://nowhere/x", read_url=database_url, read_statement_seconds=1))
    async with open_pool(settings.read_options(given, tmp_path), "test") as pool, pool.acquire() as connection:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await connection.execute("DELETE FROM job")
        with pytest.raises(asyncpg.QueryCanceledError):
            await connection.execute("SELECT pg_sleep(20)")


def test_lists_read_from_the_database_itself_unless_a_replica_is_set(tmp_path: Path) -> None:
    given = Settings(database=DatabaseSettings(url="postgresql://primary/x", statement_timeout_seconds=77, hot_connections=9))
    options, read = settings.database_options(given, tmp_path), settings.read_options(given, tmp_path)
    assert (options.url, options.statement_timeout_seconds, options.hot_connections, options.is_read_only) == ("postgresql://primary/x", 77, 9, False)
    assert (read.url, read.statement_timeout_seconds, read.idle_in_transaction_seconds, read.is_read_only) == ("postgresql://primary/x", 10, 10, True)


def test_archives_go_to_the_data_folder_unless_another_is_set(tmp_path: Path) -> None:
    assert settings.archive_policy(Settings(), tmp_path).folder == tmp_path / "archive"
    policy = settings.archive_policy(Settings(archive=ArchiveSettings(keep_days=7, folder="/srv/old")), tmp_path)
    assert (policy.folder, policy.keep_days, policy.keep_rows_days) == (Path("/srv/old"), 7, 0)


async def test_a_socket_that_is_not_there_is_a_server_that_refuses() -> None:
    """As between the death of the embedded server and its next start: a call is told to come again, not that something is broken."""
    with pytest.raises(ConnectionRefusedError):
        await connect(Options("postgresql://panda@/panda?host=/nowhere&port=5432"), "test")
