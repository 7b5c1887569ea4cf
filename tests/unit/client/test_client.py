"""The client against a real HTTP server: both colours do the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from pandawms.client import AsyncClient, Client, RetryPolicy
from pandawms.client.tasks import FINAL
from pandawms.domain.errors import Conflict, Denied, Invalid, NotFound, PandaError, Unavailable
from pandawms.domain.task import FINAL as TASK_FINAL
from pandawms.wire.dataset import File
from pandawms.wire.event import ChangeEvent
from tests.unit.client.stand_in import Said, Seen, StandIn, in_turn, stand_in

FAST = RetryPolicy(total_seconds=5.0, first_seconds=0.001, longest_seconds=0.002)
IMPATIENT = RetryPolicy(total_seconds=0.0)
VERSION = {"version": "1.2.3", "api": 2, "pilot_protocol": 1, "schema": "9", "new_key": True}


class Both:
    """Calls one method in both clients and holds that they agree."""

    def __init__(self, server: StandIn, policy: RetryPolicy = FAST) -> None:
        self.server, self.policy = server, policy

    def sync(self, path: str, *args: Any, **kwargs: Any) -> Any:
        with Client(self.server.url, "secret", retry=self.policy) as client:
            result = _method(client, path)(*args, **kwargs)
            return list(result) if isinstance(result, Iterator) else result

    def asynchronous(self, path: str, *args: Any, **kwargs: Any) -> Any:
        async def run() -> Any:
            async with AsyncClient(self.server.url, "secret", retry=self.policy) as client:
                result = _method(client, path)(*args, **kwargs)
                return [item async for item in result] if isinstance(result, AsyncIterator) else await result

        return asyncio.run(run())


def _method(client: Any, path: str) -> Any:
    for name in path.split("."):
        client = getattr(client, name)
    return client


COLOURS = pytest.mark.parametrize("colour", ["sync", "asynchronous"])


def call(server: StandIn, colour: str, path: str, *args: Any, policy: RetryPolicy = FAST, **kwargs: Any) -> Any:
    return getattr(Both(server, policy), colour)(path, *args, **kwargs)


@COLOURS
def test_an_answer_is_typed_and_unknown_keys_are_ignored(colour: str) -> None:
    with stand_in(in_turn(Said(body=VERSION))) as server:
        assert call(server, colour, "system.version").version == "1.2.3"
        assert server.seen[0].path == "/api/v2/system/version"
        assert server.seen[0].headers["authorization"] == "Bearer secret"


@COLOURS
def test_lost_replies_and_busy_servers_are_asked_again_with_the_same_key(colour: str) -> None:
    answer = {"command_id": 1, "subject": "task 5", "status": "running"}
    busy = Said(503, headers={"Retry-After": "0"})
    with stand_in(in_turn(Said(mute=True), busy, Said(body=answer, cut=5), Said(body=answer))) as server:
        assert call(server, colour, "tasks.kill", 5, "no more").command_id == 1
        assert len(server.seen) >= 4
        assert len({seen.headers["idempotency-key"] for seen in server.seen}) == 1
        assert server.seen[0].body == b'{"reason":"no more"}'


@COLOURS
def test_two_submissions_have_two_keys(colour: str) -> None:
    answer = {"command_id": 1, "subject": "task 5", "status": "running"}
    with stand_in(in_turn(Said(body=answer))) as server:
        call(server, colour, "tasks.kill", 5)
        call(server, colour, "tasks.kill", 5)
        assert len({seen.headers["idempotency-key"] for seen in server.seen}) == 2


@COLOURS
@pytest.mark.parametrize(("status", "kind"), [(401, Denied), (404, NotFound), (409, Conflict), (422, Invalid), (500, Unavailable)])
def test_a_refusal_is_raised_at_once_as_its_kind(colour: str, status: int, kind: type[PandaError]) -> None:
    problem = {
        "type": f"/problems/{kind.kind}",
        "title": "t",
        "status": status,
        "detail": "no",
        "code": "c",
        "hint": "h",
    }
    with stand_in(in_turn(Said(status, problem))) as server:
        with pytest.raises(kind, match="no") as caught:
            call(server, colour, "tasks.get", "z-evgen")
        assert caught.value.hint == "h"
        assert len(server.seen) == 1


@COLOURS
def test_a_foreign_error_page_is_told_by_its_status(colour: str) -> None:
    with stand_in(in_turn(Said(404, b"<html>"))) as server, pytest.raises(NotFound, match="404"):
        call(server, colour, "tasks.get", 5)


@COLOURS
def test_nobody_there_is_unavailable(colour: str) -> None:
    with stand_in(in_turn(Said())) as server:
        pass
    with pytest.raises(Unavailable) as caught:
        call(server, colour, "system.version", policy=IMPATIENT)
    assert caught.value.code == "unreachable"


@COLOURS
def test_a_list_goes_through_all_pages(colour: str) -> None:
    def answer(seen: Seen) -> Said:
        site = {"name": seen.path.partition("cursor=")[2] or "first"}
        following = {"first": "b c", "b+c": "d"}.get(site["name"])
        return Said(body={"items": [site], "next_cursor": following})

    with stand_in(answer) as server:
        assert [site.name for site in call(server, colour, "sites.list")] == ["first", "b+c", "d"]


@COLOURS
def test_a_task_is_watched_until_its_end(colour: str) -> None:
    with stand_in(in_turn(*(Said(body=task(status)) for status in ("ready", "running", "running", "done")))) as server:
        seen = call(server, colour, "tasks.watch", "a/b c", poll_seconds=0.001)
        assert [detail.status for detail in seen] == ["ready", "running", "done"]
        assert server.seen[0].path == "/api/v2/tasks/a%2Fb%20c"


@COLOURS
def test_waiting_ends_with_the_task_or_with_the_time(colour: str) -> None:
    with stand_in(in_turn(Said(body=task("running")), Said(body=task("failed")))) as server:
        assert call(server, colour, "tasks.wait", 7, poll_seconds=0.001).status == "failed"
    with stand_in(in_turn(Said(body=task("running")))) as server, pytest.raises(Unavailable) as caught:
        call(server, colour, "tasks.wait", 7, timeout_seconds=0.01, poll_seconds=0.02)
    assert caught.value.code == "wait_timeout"


@COLOURS
def test_a_download_is_verified_and_repeated_when_it_broke_off(colour: str, tmp_path: Path) -> None:
    file = File(file_id=3, dataset_id=1, scope="s", name="a", status="ready", size_bytes=5, adler32="062c0215")
    with stand_in(in_turn(Said(body=b"hello", cut=2), Said(body=b"hullo"), Said(body=b"hello"))) as server:
        call(server, colour, "files.download", file, tmp_path / "a.txt")
        assert (tmp_path / "a.txt").read_bytes() == b"hello"
        assert len(server.seen) == 3
    with stand_in(in_turn(Said(body=b"hullo"))) as server, pytest.raises(Invalid, match="checksum"):
        call(server, colour, "files.download", file, tmp_path / "b.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@COLOURS
def test_an_upload_streams_the_file(colour: str, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(range(256)) * 4096)
    answer = {"file_id": 1, "dataset_id": 2, "scope": "s", "name": "a.bin", "status": "ready"}
    with stand_in(in_turn(Said(mute=True), Said(body=answer))) as server:
        assert call(server, colour, "datasets.upload", 2, "a.bin", path).file_id == 1
        assert [seen.body == path.read_bytes() for seen in server.seen] == [True, True]


@COLOURS
def test_the_stream_of_changes_goes_on_where_it_broke_off(colour: str) -> None:
    streams = [Said(body=changes(1, 2), cut=-9), Said(mute=True), Said(body=changes(3))]
    with stand_in(in_turn(*streams)) as server:
        assert [event.event_id for event in first_changes(server, colour, 3)] == ["1", "2", "3"]
        assert server.seen[0].path == "/api/v2/events?task_id=7"
        assert [seen.headers.get("last-event-id") for seen in server.seen[:3]] == [None, "2", "2"]


def first_changes(server: StandIn, colour: str, n: int) -> list[ChangeEvent]:
    if colour == "sync":
        with Client(server.url, "secret", retry=FAST) as client:
            stream = client.events.changes(task_id=7)
            return [next(stream) for _ in range(n)]

    async def run() -> list[ChangeEvent]:
        async with AsyncClient(server.url, "secret", retry=FAST) as client:
            stream = client.events.changes(task_id=7)
            return [await anext(stream) for _ in range(n)]

    return asyncio.run(run())


def changes(*ids: int) -> bytes:
    parts = [": hello\n\n"]
    for number in ids:
        data = f'{{"event_id":"{number}","entity":"job","entity_id":"5",\r\ndata: "event":"claim","to_status":"sent","at":"2030-01-01T00:00:00Z"}}'
        parts.append(f"id: {number}\nevent: change\ndata: {data}\n\n")
    return ("".join(parts) + "id: 99\ndata: unfinished").encode()


def task(status: str) -> dict[str, Any]:
    return {
        "task_id": 7,
        "name": "t",
        "owner": "me",
        "community": "local",
        "status": status,
        "priority": 1000,
        "inputs": {"total": 4, "finished": 1},
        "jobs": {"running": 1},
        "created_at": "2030-01-01T00:00:00Z",
        "attempts": 1,
        "coverage": 0.25,
        "wall_seconds": 1.0,
        "cpu_seconds": 1.0,
        "unit": "files",
    }


def test_the_statuses_in_which_a_task_is_over_are_those_of_its_machine() -> None:
    assert {str(status.value) for status in TASK_FINAL} | {"exhausted"} == set(FINAL)
