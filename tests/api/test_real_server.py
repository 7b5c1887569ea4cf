"""What only a real server on a real socket shows: pilots that go away while they wait, and an end that does not wait for them."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from tests.api.conftest import Api
from tests.api.test_pilot import claim
from tests.api.test_tasks import submitted

DEADLINE_SECONDS = 10


@asynccontextmanager
async def listening(api: Api, **options: Any) -> AsyncIterator[int]:
    """Serves the API on a free port of this machine, by a server with these options; yields the port."""
    server = uvicorn.Server(uvicorn.Config(api.app, lifespan="on", log_level="error", timeout_graceful_shutdown=5, **options))
    with socket.create_server(("127.0.0.1", 0)) as bound:
        task = asyncio.create_task(server.serve(sockets=[bound]))
        try:
            await until(lambda: server.started)
            yield bound.getsockname()[1]
        finally:
            api.core.stopping.set()
            server.should_exit = True
            await asyncio.wait_for(task, DEADLINE_SECONDS)


async def until(condition: Callable[[], object]) -> None:
    """Waits for a condition; fails after the deadline."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110  (what is waited for has no event of its own)
            await asyncio.sleep(0.01)


async def ask(port: int, token: str, body: dict[str, Any]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Sends a claim and leaves the answer in the socket."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    content = json.dumps(body).encode()
    head = f"POST /api/v2/pilot/claim HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: {len(content)}\r\n\r\n"
    writer.write(head.encode() + content)
    await writer.drain()
    return reader, writer


async def answer(reader: asyncio.StreamReader) -> dict[str, Any]:
    """Reads an answer with a Content-Length."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
    found: dict[str, Any] = json.loads(await reader.readexactly(length))
    return found


def claims(api: Api, word: str) -> float:
    """How many claims were answered so."""
    return api.core.metrics.registry.get_sample_value("panda_claims_total", {"answer": word}) or 0


async def test_a_waiting_pilot_gets_a_job_as_soon_as_there_is_one(api: Api) -> None:
    async with listening(api) as port:
        reader, writer = await ask(port, api.tokens["pilot"], claim(wait_seconds=30))
        await until(lambda: api.core.room.waiting)
        await submitted(api)
        await api.world.settle()
        api.core.room.ring(str(api.world.queue_id))
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert len((await answer(reader))["jobs"]) == 1
        writer.close()


async def test_a_pilot_that_disconnects_while_it_waits_is_given_no_job(api: Api) -> None:
    async with listening(api) as port:
        _, gone = await ask(port, api.tokens["pilot"], claim(wait_seconds=30))
        await until(lambda: api.core.room.waiting)
        gone.close()
        await gone.wait_closed()
        await until(lambda: claims(api, "none") == 1)
        await submitted(api)
        await api.world.settle()
        api.core.room.ring(str(api.world.queue_id))
        reader, writer = await ask(port, api.tokens["pilot"], claim(n_jobs=10))
        assert len((await answer(reader))["jobs"]) == 5
        writer.close()


async def test_the_end_of_the_server_ends_long_polls_and_streams(api: Api) -> None:
    async with listening(api) as port:
        reader, writer = await ask(port, api.tokens["pilot"], claim(wait_seconds=50))
        stream_reader, stream_writer = await asyncio.open_connection("127.0.0.1", port)
        stream_writer.write(f"GET /api/v2/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.tokens['ada']}\r\n\r\n".encode())
        await stream_reader.readuntil(b": the changes follow")
        await until(lambda: api.core.room.waiting)
        api.core.stopping.set()
        async with asyncio.timeout(5):
            assert (await answer(reader))["jobs"] == []
            await stream_reader.readuntil(b"\r\n0\r\n\r\n")
        writer.close()
        stream_writer.close()
