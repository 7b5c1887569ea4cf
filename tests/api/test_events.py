"""The stream of changes, read from a real server."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest

from pandawms.api.streaming import Visible, stream
from pandawms.store import events
from pandawms.store.database import Connection
from pandawms.store.events import Event, Position
from tests.api.conftest import Api
from tests.api.test_real_server import DEADLINE_SECONDS, listening, until
from tests.api.test_tasks import submitted


async def read(port: int, token: str, task_id: int | None = None, last: str | None = None) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Yields (id, event) from the stream; a comment is ("", {})."""
    headers = {"Authorization": f"Bearer {token}", **({"Last-Event-ID": last} if last else {})}
    params = {"task_id": task_id} if task_id else None
    async with (
        httpx.AsyncClient(timeout=DEADLINE_SECONDS) as client,
        client.stream("GET", f"http://127.0.0.1:{port}/api/v2/events", headers=headers, params=params) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        name = ""
        async for line in answer.aiter_lines():
            word, _, value = line.partition(": ")
            if line.startswith(":"):
                yield "", {}
            elif word == "id":
                name = value
            elif word == "data":
                yield name, json.loads(value)


async def take(stream: AsyncIterator[tuple[str, dict[str, Any]]], n: int) -> list[tuple[str, dict[str, Any]]]:
    """The next n events."""
    found = []
    async with asyncio.timeout(DEADLINE_SECONDS):
        async for name, event in stream:
            if name:
                found.append((name, event))
            if len(found) == n:
                return found
    raise AssertionError(f"the stream ended after {found}")


async def begun(stream: AsyncIterator[tuple[str, dict[str, Any]]]) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """The same stream, after the comment with which it begins."""
    assert await anext(stream) == ("", {})
    return stream


async def test_changes_come_in_order_and_go_on_behind_the_last_that_was_seen(api: Api) -> None:
    async with listening(api) as port:
        stream = await begun(read(port, api.tokens["bob"]))
        task_id = await submitted(api)
        await api.world.settle()
        events = await take(stream, 12)
        tasks = [event["to_status"] for _, event in events if event["entity"] == "task"]
        assert tasks[:3] == ["registered", "defined", "ready"]
        assert {event["task_id"] for _, event in events if event["entity"] == "task"} == {task_id}
        again = await take(await begun(read(port, api.tokens["bob"], last=events[3][0])), 8)
        assert again == events[4:]


async def test_a_stream_shows_one_task_and_only_what_the_caller_may_see(api: Api) -> None:
    async with listening(api) as port:
        first = await submitted(api, name="first")
        everything, own = await begun(read(port, api.tokens["eve"])), await begun(read(port, api.tokens["ada"], task_id=first))
        await submitted(api, name="second")
        await api.world.settle()
        assert {event["task_id"] for _, event in await take(own, 8)} == {first}
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert await anext(everything) == ("", {})
    refused = await api.eve.get(f"/events?task_id={first}")
    assert refused.status_code == 404


async def test_a_wrong_position_is_refused(api: Api) -> None:
    problem = (await api.ada.get("/events", headers={"Last-Event-ID": "yesterday"})).json()
    assert (problem["status"], problem["field"], problem["value"]) == (422, "Last-Event-ID", "yesterday")


async def test_all_who_watch_are_fed_by_one_reader_that_ends_with_the_last_of_them(api: Api) -> None:
    feed = api.core.feed
    async with listening(api) as port:
        streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        for reader, writer in streams:
            writer.write(f"GET /api/v2/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.tokens['ada']}\r\n\r\n".encode())
            await asyncio.wait_for(reader.readuntil(b": the changes follow"), DEADLINE_SECONDS)
        task = feed._reader
        assert (len(feed._watchers), task is not None) == (3, True)
        await submitted(api)
        for reader, _ in streams:
            await asyncio.wait_for(reader.readuntil(b"event: task"), DEADLINE_SECONDS)
        assert feed._reader is task
        for _, writer in streams:
            writer.close()
        await until(lambda: not feed._watchers and feed._reader is None)


async def test_one_who_is_too_slow_is_told_to_come_again_and_misses_nothing(api: Api) -> None:
    api.core.feed.most_kept = 3
    watching = stream(api.core, Visible(api.world.who, None), None)
    assert (await anext(watching)).startswith(b": the changes follow")
    await submitted(api)
    await api.world.settle()
    (slow,) = api.core.feed._watchers
    await until(lambda: slow.is_lost)
    told = [part async for part in watching]
    assert told[-1].startswith(b": too slow")
    api.core.feed.most_kept = 1000
    async with listening(api) as port:
        assert len(await take(await begun(read(port, api.tokens["ada"], last="1-1")), 12)) == 12


async def test_who_may_see_nothing_of_what_happens_hears_that_the_stream_lives(api: Api) -> None:
    async with listening(api) as port:
        nothing = await begun(read(port, api.tokens["eve"]))
        await submitted(api)
        await api.world.settle()
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert await anext(nothing) == ("", {})


async def test_the_stream_goes_on_when_the_driver_was_cut_off_in_the_middle_of_a_call(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    failures, read_on = [asyncpg.InternalClientError("wrong state"), asyncpg.TooManyConnectionsError("no connection left")], events.tail

    async def failing(connection: Connection, after: Position, limit: int) -> list[tuple[Position, Event]]:
        if failures:
            raise failures.pop()
        return await read_on(connection, after, limit)

    async with listening(api) as port:
        watching = await begun(read(port, api.tokens["ada"]))
        monkeypatch.setattr(events, "tail", failing)
        await until(lambda: not failures)
        await submitted(api)
        assert await take(watching, 1)
