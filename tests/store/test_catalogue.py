"""Files are registered once by name, counters follow, and the content of a sandbox goes only when nobody owns it any more."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from pandawms.store import catalogue, identity
from pandawms.store.database import Connection
from tests.engine.play import add_dataset, new_files, value
from tests.world import World

ONE, TWO = b"1" * 32, b"2" * 32
PAST, FUTURE = (datetime.now(UTC) + timedelta(days=days) for days in (-1, 1))


async def test_a_file_whose_name_is_in_the_dataset_is_skipped_and_counted_once(world: World) -> None:
    dataset_id = await add_dataset(world, 2, is_open=True)
    async with world.pool.acquire() as connection:
        added = await catalogue.add_files(connection, dataset_id, "user.ada", new_files(4), world.endpoint_id)
        again = await catalogue.add_files(connection, dataset_id, "user.ada", new_files(4), world.endpoint_id)
        found = await catalogue.dataset(connection, dataset_id)
    assert (sorted(added), again) == (["f000002", "f000003"], {})
    assert found is not None
    assert (found.n_files, found.n_bytes, found.n_events) == (4, 400, 40)
    assert await value(world, "SELECT count(*) FROM replica") == 4


async def test_the_name_of_a_dataset_is_taken_until_it_is_removed(world: World) -> None:
    first = await add_dataset(world, 0)
    with pytest.raises(AssertionError):
        await add_dataset(world, 0)
    await value(world, "UPDATE dataset SET removed_at = now() WHERE dataset_id = $1", first)
    assert await add_dataset(world, 0) != first


async def forgotten(connection: Connection) -> list[bytes]:
    """Forgets what expired, as watch does, and returns the contents that nobody has any more."""
    return [digest for digest in await catalogue.expired_sandboxes(connection, 100) if await catalogue.forget_sandbox(connection, digest)]


async def test_the_content_of_a_sandbox_goes_when_its_last_owner_is_gone(world: World) -> None:
    async with world.pool.acquire() as connection:
        ada, bob = world.who.user_id, await identity.ensure_user(connection, "test", "bob", "bob")
        await catalogue.add_sandbox(connection, ONE, ada, 5, PAST)
        await catalogue.add_sandbox(connection, ONE, bob, 5, FUTURE)
        await catalogue.add_sandbox(connection, TWO, bob, 5, PAST)
        assert await forgotten(connection) == [TWO], "the other one is still bob's"
        assert await catalogue.sandbox_size(connection, ONE, bob) == 5
        assert await catalogue.sandbox_size(connection, ONE, ada) is None
        await connection.execute("UPDATE sandbox SET expires_at = now() - interval '1 s'")
        assert await forgotten(connection) == [ONE]


async def test_a_sandbox_that_an_active_task_needs_is_kept(world: World) -> None:
    async with world.pool.acquire() as connection:
        await catalogue.add_sandbox(connection, ONE, world.who.user_id, 5, FUTURE)
    await world.submit(program={"command": "true > %OUT", "sandbox": ONE.hex()})
    async with world.pool.acquire() as connection:
        await connection.execute("UPDATE sandbox SET expires_at = now() - interval '1 s'")
        assert await forgotten(connection) == []
    await world.run_all()
    async with world.pool.acquire() as connection:
        assert await forgotten(connection) == [ONE]


async def test_a_file_with_a_wrong_checksum_length_is_refused_whole(world: World) -> None:
    dataset_id = await add_dataset(world, 0, is_open=True)
    good, bad = new_files(2)
    async with world.pool.acquire() as connection:
        with pytest.raises(Exception, match="adler32"):
            await catalogue.add_files(connection, dataset_id, "user.ada", [good, replace(bad, adler32=b"123", guid=uuid4())], world.endpoint_id)
    assert await value(world, "SELECT n_files FROM dataset WHERE dataset_id = $1", dataset_id) == 0
