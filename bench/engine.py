"""The engine alone on a real PostgreSQL: from a submitted task to activated jobs. The floor is the insert of as many plain rows."""

import asyncio
import tempfile
import time
from pathlib import Path
from uuid import uuid4

from pandawms.data.blobs import Blobs
from pandawms.data.builtin import BuiltIn
from pandawms.engine.services import Services
from pandawms.store import catalogue, database
from pandawms.store.embedded import EmbeddedServer, Options
from pandawms.store.migrations import runner
from tests.world import World, make

INPUTS = 10_000


def submit_10000_inputs() -> tuple[float, float]:
    """Seconds from the submit of a task over 10,000 files, one a job, until all its jobs are activated."""
    with tempfile.TemporaryDirectory(prefix="panda-bench-", ignore_cleanup_errors=True) as folder:
        server = EmbeddedServer(Options(folder=Path(folder) / "postgres"))
        try:
            return asyncio.run(_measure(server.start().dsn))
        finally:
            server.remove()


async def _measure(url: str) -> tuple[float, float]:
    async with database.open_pool(database.Options(url), "bench") as pool:
        async with pool.acquire() as connection:
            await runner.upgrade(connection)
        world = await make(pool, Services(BuiltIn(), Blobs(Path())))
        await _register(world)
        begin = time.perf_counter()
        await world.submit(
            name="many", inputs={"in": {"dataset": "user.ada:many"}}, split={"files_per_job": 1}, scouts={"jobs": 0}, program={"command": "true %IN > %OUT"}
        )
        await world.settle()
        seconds = time.perf_counter() - begin
        async with pool.acquire() as connection:
            assert await connection.fetchval("SELECT count(*) FROM job WHERE status = 'activated'") == INPUTS
            return seconds, await _floor(connection)


async def _register(world: World) -> None:
    async with world.pool.acquire() as connection, connection.transaction():
        dataset_id = await catalogue.add_dataset(connection, community_id=1, owner_id=world.who.user_id, scope="user.ada", name="many")
        assert dataset_id is not None
        files = [catalogue.NewFile(f"f{n:06d}", uuid4(), 1, b"\0\0\0\1", None) for n in range(INPUTS)]
        await catalogue.add_files(connection, dataset_id, "user.ada", files, world.endpoint_id)
        await catalogue.close_dataset(connection, dataset_id)


async def _floor(connection: "database.Connection") -> float:
    await connection.execute("CREATE TABLE plain (id bigint PRIMARY KEY, value text)")
    begin = time.perf_counter()
    await connection.copy_records_to_table("plain", records=[(n, "x" * 100) for n in range(INPUTS)])
    return time.perf_counter() - begin
