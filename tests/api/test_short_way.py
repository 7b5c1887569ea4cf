"""The short way of a pilot's call: the same answers over a real socket as by the parser and ASGI, and nothing goes it that must not."""

import asyncio
import json
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from pandawms.api import pilot_door
from pandawms.api.pilot_door import PilotDoor
from pandawms.main.short_way import ShortWay
from tests.api.conftest import Api
from tests.api.test_pilot import claim
from tests.api.test_pilot_door import answered
from tests.api.test_real_server import DEADLINE_SECONDS, claims, listening, until
from tests.api.test_tasks import submitted

HEARTBEAT = "/api/v2/pilot/heartbeat"
CLAIM = "/api/v2/pilot/claim"
REPORT = "/api/v2/pilot/report"
NOTHING = {"protocol": 1, "pilot_version": "test", "jobs": []}


class Watched(ShortWay):
    """Counts what has come, in bytes, and the requests that the parser has seen."""

    parsed = 0
    received = 0

    def data_received(self, data: bytes) -> None:
        Watched.received += len(data)
        super().data_received(data)

    def on_message_begin(self) -> None:
        Watched.parsed += 1
        super().on_message_begin()


class Client:
    """One connection, and the bytes of calls."""

    def __init__(self, api: Api, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.api, self.reader, self.writer = api, reader, writer

    def call(self, path: str, body: Any = NOTHING, *, token: str | None = None, head: str = "") -> bytes:
        """The bytes of a call; `head` has more header lines."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = f"Host: x\r\nAuthorization: Bearer {token or self.api.tokens['pilot']}\r\n{head}Content-Length: {len(content)}\r\n\r\n"
        return f"POST {path} HTTP/1.1\r\n{lines}".encode() + content

    async def send(self, *packets: bytes) -> None:
        """Sends bytes; each of these has come before the next is sent."""
        for packet in packets:
            expected = Watched.received + len(packet)
            self.writer.write(packet)
            await until(lambda expected=expected: Watched.received == expected)  # type: ignore[misc]  # a lambda's default has no type

    async def answer(self) -> tuple[int, dict[str, str], Any]:
        """The next answer: status, headers, body."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            first, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower().splitlines()[:-1]
            headers = dict(line.split(": ", 1) for line in lines)
            return int(first.split()[1]), headers, json.loads(await self.reader.readexactly(int(headers["content-length"])))

    async def ask(self, *packets: bytes) -> tuple[int, dict[str, str], Any]:
        """The answer to one call."""
        await self.send(*packets)
        return await self.answer()

    async def is_closed(self) -> bool:
        """Whether the server closes the connection before it says anything more."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await self.reader.read() == b""


def door(api: Api) -> PilotDoor:
    """The door of the server."""
    found = api.app.asgi_handler
    assert isinstance(found, PilotDoor)
    return found


@asynccontextmanager
async def connected(api: Api, **options: Any) -> AsyncIterator[Client]:
    """A connection to a server that has the short way; what it sent first is known already."""
    async with listening(api, **{"http": Watched, "proxy_headers": False} | options) as port:
        secure = ssl.create_default_context(cafile=options["ssl_certfile"]) if "ssl_certfile" in options else None
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=secure)
        client = Client(api, reader, writer)
        assert (await client.ask(client.call(HEARTBEAT)))[0] == 200
        assert len(door(api).known) == 1
        Watched.parsed = 0
        yield client
        writer.close()


async def test_a_head_that_was_answered_well_needs_no_parser_and_gets_the_same_answer(api: Api) -> None:
    async with connected(api) as client:
        short = await client.ask(client.call(HEARTBEAT))
        assert Watched.parsed == 0
        far = await client.ask(client.call(HEARTBEAT, head="X-Other: 1\r\n"))
        assert Watched.parsed == 1
        assert (short[0], short[2].keys(), list(short[1])) == (far[0], far[2].keys(), list(far[1]))
        own = ("x-request-id", "date", "content-length")
        assert {**short[1], **dict.fromkeys(own)} == {**far[1], **dict.fromkeys(own)}
        assert short[1]["x-request-id"] != far[1]["x-request-id"]
        assert answered(api, HEARTBEAT, 200) == 3


async def test_two_calls_in_one_packet_are_both_answered_in_their_order(api: Api) -> None:
    async with connected(api) as client:
        await client.send(client.call(HEARTBEAT) + client.call(CLAIM, claim()))
        assert ["server_time" in (await client.answer())[2], "heartbeat_seconds" in (await client.answer())[2]] == [True, True]
        assert Watched.parsed == 2
        assert (await client.ask(client.call(HEARTBEAT)))[0] == 200
        assert Watched.parsed == 2


@pytest.mark.parametrize("size", [1, 7, 1500])
async def test_a_body_may_come_in_many_packets(api: Api, size: int) -> None:
    async with connected(api) as client:
        body = {**NOTHING, "pilot_version": "x" * 40 * size}
        whole = client.call(HEARTBEAT, body)
        assert (await client.ask(whole))[0] == 200
        end = whole.index(b"\r\n\r\n") + 4
        step = (len(whole) - end) // 5 + 1
        assert (await client.ask(whole[:end], *[whole[at : at + step] for at in range(end, len(whole), step)]))[0] == 200
        assert Watched.parsed == 1
        assert (await client.ask(whole[: end - 9], whole[end - 9 :]))[0] == 200  # a head that is cut needs the parser
        assert Watched.parsed == 2


async def test_what_comes_with_the_end_of_a_body_is_the_next_call(api: Api) -> None:
    async with connected(api) as client:
        whole = client.call(HEARTBEAT)
        await client.send(whole[:-5], whole[-5:] + whole + whole[:-9], whole[-9:])
        assert [(await client.answer())[0] for _ in range(3)] == [200, 200, 200]
        assert answered(api, HEARTBEAT, 200) == 4


async def waiting_claim(client: Client) -> None:
    """Leaves a claim on the short way that waits."""
    assert (await client.ask(client.call(CLAIM, claim(wait_seconds=0.01))))[0] == 200
    parsed = Watched.parsed
    await client.send(client.call(CLAIM, claim(wait_seconds=30.0)))  # the length is the same, so the head is
    await until(lambda: client.api.core.room.waiting)
    assert Watched.parsed == parsed


async def test_a_call_that_is_sent_before_the_last_was_answered_waits_for_it(api: Api) -> None:
    async with connected(api) as client:
        await waiting_claim(client)
        await client.send(client.call(HEARTBEAT), client.call(HEARTBEAT))
        await submitted(api)
        await api.world.settle()
        api.core.room.ring(str(api.world.queue_id))
        assert len((await client.answer())[2]["jobs"]) == 1
        assert [(await client.answer())[0] for _ in range(2)] == [200, 200]


async def test_a_pilot_that_goes_away_while_it_waits_is_given_no_job(api: Api) -> None:
    async with connected(api) as client, connected_again(api, client) as other:
        await waiting_claim(client)
        client.writer.close()
        await until(lambda: claims(api, "none") == 2)
        await submitted(api)
        await api.world.settle()
        api.core.room.ring(str(api.world.queue_id))
        assert len((await other.ask(other.call(CLAIM, claim(n_jobs=10))))[2]["jobs"]) == 5


@asynccontextmanager
async def connected_again(api: Api, client: Client) -> AsyncIterator[Client]:
    """Another connection to the same server."""
    reader, writer = await asyncio.open_connection(*client.writer.get_extra_info("peername"))
    yield Client(api, reader, writer)
    writer.close()


async def test_a_pilot_that_goes_away_is_noticed_although_it_has_sent_more(api: Api) -> None:
    async with connected(api) as client:
        await waiting_claim(client)
        await client.send(client.call(HEARTBEAT))
        client.writer.close()
        await until(lambda: claims(api, "none") == 2)
        assert not api.core.room.waiting


async def test_the_end_of_the_server_answers_who_waits_and_says_goodbye(api: Api) -> None:
    async with connected(api) as client, connected_again(api, client) as idle:
        assert "connection" not in (await idle.ask(idle.call(HEARTBEAT)))[1]
        await waiting_claim(client)
        api.core.stopping.set()
        status, headers, body = await client.answer()
        assert (status, headers["connection"], body["jobs"]) == (200, "close", [])
        assert await client.is_closed()
        status, headers, _ = await idle.ask(idle.call(HEARTBEAT))
        assert (status, headers["connection"]) == (200, "close")
        assert await idle.is_closed()


async def test_a_connection_that_is_to_end_answers_the_call_that_has_begun(api: Api) -> None:
    ends: list[ShortWay] = []

    class Kept(Watched):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            ends[:] = [self]

    async with connected(api, http=Kept) as client:
        whole = client.call(HEARTBEAT)
        await client.send(whole[:-1])
        ends[0].shutdown()
        status, headers, _ = await client.ask(whole[-1:])
        assert (status, headers["connection"]) == (200, "close")
        assert await client.is_closed()


async def test_a_connection_at_rest_is_closed_after_its_time(api: Api) -> None:
    async with connected(api, timeout_keep_alive=1) as client:
        assert (await client.ask(client.call(HEARTBEAT)))[0] == 200
        assert Watched.parsed == 0
        assert await client.is_closed()


async def test_other_methods_paths_and_tokens_are_answered_as_everywhere(api: Api) -> None:
    async with connected(api) as client:
        assert (await client.ask(client.call(HEARTBEAT).replace(b"POST", b"PUT", 1)))[2]["code"] == "method_not_allowed"
        assert (await client.ask(client.call("/api/v2/pilot/heartbeats")))[2]["code"] == "no_route"
        assert (await client.ask(client.call(f"{HEARTBEAT}?wait=5")))[2]["code"] == "unknown_field"
        status, headers, body = await client.ask(client.call(HEARTBEAT, token="nobody"))
        assert (status, headers["www-authenticate"], body["code"]) == (401, "bearer", "unauthenticated")
        assert (await client.ask(client.call(HEARTBEAT, token=api.tokens["ada"])))[0] == 403
        assert len(door(api).known) == 1


async def test_what_is_wrong_with_a_body_is_told_on_the_short_way_too(api: Api) -> None:
    async with connected(api) as client:
        length = len(json.dumps(NOTHING))
        status, headers, body = await client.ask(client.call(HEARTBEAT, b"{" * length))
        assert (status, headers["content-type"], body["code"]) == (422, "application/problem+json", "malformed")
        assert body["request_id"] == headers["x-request-id"]
        assert (Watched.parsed, answered(api, HEARTBEAT, 422)) == (0, 1)


async def test_beyond_the_limit_the_short_way_is_told_when_to_come_again(api: Api) -> None:
    async with connected(api) as client:
        door(api).busy = api.core.options.most_calls
        status, headers, body = await client.ask(client.call(HEARTBEAT))
        assert (status, body["code"], Watched.parsed) == (503, "busy", 0)
        assert 1 <= int(headers["retry-after"]) <= 3


async def test_a_revoked_token_is_refused_soon_although_its_head_is_known(api: Api) -> None:
    async with connected(api) as client:
        async with api.core.pool.acquire() as connection:
            await connection.execute("UPDATE token SET revoked_at = now() WHERE label = 'pilot'")

        async with asyncio.timeout(DEADLINE_SECONDS):
            while (await client.ask(client.call(HEARTBEAT)))[0] != 401:
                pass
        assert Watched.parsed == 0
        assert (await client.ask(client.call(HEARTBEAT)))[0] == 401


async def test_bodies_that_are_chunked_large_or_expected_go_the_other_way(api: Api) -> None:
    async with connected(api) as client:
        head = client.call(HEARTBEAT).partition(b"Content-Length")[0]
        content = json.dumps(NOTHING).encode()
        chunked = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(content), content)
        for _ in range(2):
            assert (await client.ask(head + chunked))[0] == 200
        expecting = client.call(HEARTBEAT, head="Expect: 100-continue\r\n")
        for _ in range(2):
            await client.send(expecting[: -len(content)])
            async with asyncio.timeout(DEADLINE_SECONDS):
                assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            assert (await client.ask(content))[0] == 200
        large = client.call(HEARTBEAT, {**NOTHING, "pilot_version": "x" * 70_000})
        for _ in range(2):
            assert (await client.ask(large))[0] == 200
        numbered = client.call(HEARTBEAT, head="X-Request-ID: mine\r\n")
        for _ in range(2):
            assert (await client.ask(numbered))[1]["x-request-id"] == "mine"
        assert (Watched.parsed, len(door(api).known)) == (8, 1)
        assert (await client.ask(client.call(HEARTBEAT)))[0] == 200
        assert Watched.parsed == 8


async def test_a_body_that_is_announced_too_large_is_refused_before_it_comes(api: Api) -> None:
    async with connected(api) as client:
        head = client.call(HEARTBEAT, b" " * 17).replace(b"Content-Length: 17", b"Content-Length: 17000000")
        assert (await client.ask(head))[2]["code"] == "body.size"


async def test_a_refused_calls_body_is_no_call(api: Api) -> None:
    async with connected(api) as client:
        hidden = client.call(HEARTBEAT)
        evil = client.call(HEARTBEAT, hidden, token="nobody")
        assert (await client.ask(evil[: -len(hidden)]))[0] == 401
        await client.send(hidden)
        assert (await client.ask(client.call(CLAIM, claim())))[2]["jobs"] == []
        assert answered(api, HEARTBEAT, 200) == 1


@pytest.mark.parametrize("line", ["X: a\r\n b\r\n", "X: a\n", "X: a\rY: b\r\n", "X: a\r\r\n", "\n", "Content-Length: 2\r\n"])
async def test_the_parser_refuses_heads_of_which_one_could_disagree_where_they_end(api: Api, line: str) -> None:
    async with connected(api) as client:
        await client.send(client.call(HEARTBEAT, head=line))
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert (await client.reader.read()).startswith(b"HTTP/1.1 400")
        assert len(door(api).known) == 1


async def test_no_more_heads_are_kept_than_a_server_has_room_for(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pilot_door, "MOST_KNOWN", 3)
    async with connected(api) as client:
        for n in range(5):
            assert (await client.ask(client.call(HEARTBEAT, head=f"X-Other: {n}\r\n")))[0] == 200
            assert len(door(api).known) <= 3
        assert (await client.ask(client.call(HEARTBEAT)))[0] == 200


@pytest.mark.parametrize("leading", [b"\r\n\r\n", b"\r\n", b"\n\n"])
async def test_empty_lines_before_a_head_are_no_head_that_is_kept(api: Api, leading: bytes) -> None:
    async with connected(api) as client:
        call = client.call(HEARTBEAT, head="X-Other: 1\r\n")
        assert (await client.ask(leading + call))[0] == 200
        assert all(b"authorization: bearer " in head.lower() for head in door(api).known)
        assert (await client.ask(leading + call))[0] == 200
        assert Watched.parsed == 2


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The options of a server with a certificate for 127.0.0.1 that it has signed itself."""
    folder: Path = tmp_path_factory.mktemp("tls")
    certificate, key = str(folder / "server.pem"), str(folder / "server.key")
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subprocess.run(["openssl", "req", "-x509", *kind, *names, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return {"ssl_certfile": certificate, "ssl_keyfile": key}


def of_job(asked: dict[str, Any], job: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The bodies of a heartbeat and of a report of success; those of another job are as long."""
    known = {"job_id": job["job_id"], "claim_id": asked["claim_id"], "attempt": 1}
    file = {"stream": "out", "name": job["outputs"][0]["name"], "size_bytes": 3, "adler32": "01020304", "guid": str(UUID(int=job["job_id"]))}
    report = known | {"outcome": {"domain": "none", "code": 0}, "started_at": 1.5, "wall_seconds": 2.0, "outputs": [file]}
    return {**NOTHING, "jobs": [known | {"phase": "running"}]}, {**NOTHING, "jobs": [report]}


@pytest.mark.parametrize("is_secure", [False, True], ids=["plain", "tls"])
async def test_jobs_live_on_a_kept_connection_over_tls_as_without(api: Api, tls: dict[str, str], is_secure: bool) -> None:
    await submitted(api)
    await api.world.settle()
    async with connected(api, **(tls if is_secure else {})) as client:
        for _ in range(5):
            asked = claim()
            (job,) = (await client.ask(client.call(CLAIM, asked)))[2]["jobs"]
            beat, report = (client.call(path, body) for path, body in zip((HEARTBEAT, REPORT), of_job(asked, job), strict=True))
            assert (await client.ask(beat))[2]["jobs"][0]["verdict"] == "ok"
            end = report.index(b"\r\n\r\n") + 4
            status, headers, body = await client.ask(report[:end], report[end:-9], report[-9:])
            assert (status, headers["content-type"], body["jobs"][0]["verdict"]) == (200, "application/json", "accepted")
        assert Watched.parsed == 3, "one of each kind"
        await client.send(report[:-5], report[-5:] + beat + report)
        assert [(await client.answer())[2]["jobs"][0]["verdict"] for _ in range(3)] == ["repeated", "gone", "repeated"]
        await waiting_claim(client)
        client.writer.close()
        await until(lambda: not api.core.room.waiting)
