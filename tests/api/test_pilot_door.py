"""The door for the pilot's frequent calls does what the framework does for all others: it names, counts, guards, bounds, and explains what is wrong."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
from msgspec import convert

from pandawms.api.app import create_app
from pandawms.engine.dispatch.plan import Claim
from pandawms.store import places
from pandawms.wire.pilot import ClaimRequest
from tests.api.conftest import Api, client_of
from tests.api.test_pilot import claim
from tests.api.test_real_server import ask, listening
from tests.api.test_real_server import until as until_soon
from tests.waiting import until

MIB = 1 << 20


def answered(api: Api, route: str, status: int) -> float:
    """How many requests of a route were answered so."""
    labels = {"method": "POST", "route": route, "status": str(status)}
    return api.core.metrics.registry.get_sample_value("panda_requests_total", labels) or 0


async def test_every_answer_carries_its_number_and_is_counted_by_route(api: Api) -> None:
    answer = await api.pilot.post("/pilot/claim", json=claim(), headers={"X-Request-ID": "mine-1"})
    assert (answer.status_code, answer.headers["x-request-id"], answer.headers["content-type"]) == (200, "mine-1", "application/json")
    numbers = {(await api.pilot.post("/pilot/claim", json=claim())).headers["x-request-id"] for _ in range(3)}
    assert len(numbers) == 3
    assert answered(api, "/api/v2/pilot/claim", 200) == 4
    refused = await api.pilot.post("/pilot/claim", json=claim(cores=0), headers={"X-Request-ID": "bad word"})
    assert refused.json()["request_id"] == refused.headers["x-request-id"] != "bad word"
    assert (refused.headers["content-type"], answered(api, "/api/v2/pilot/claim", 422)) == ("application/problem+json", 1)


async def test_a_call_without_the_right_token_is_refused_before_its_body_is_read(api: Api) -> None:
    missing = await api.nobody.post("/pilot/report", content=b"no JSON")
    assert (missing.status_code, missing.headers["www-authenticate"], missing.json()["code"]) == (401, "Bearer", "unauthenticated")
    wrong = await api.ada.post("/pilot/report", content=b"no JSON")
    assert (wrong.status_code, wrong.json()["allowed"]) == (403, "pilot")
    assert (await api.pilot.post("/pilot/report", content=b"no JSON")).json()["code"] == "malformed"


async def test_a_slash_at_the_end_and_other_methods_are_treated_as_everywhere(api: Api) -> None:
    assert (await api.pilot.post("/pilot/claim/", json=claim())).status_code == 200
    assert answered(api, "/api/v2/pilot/claim", 200) == 1
    assert (await api.pilot.get("/pilot/claim")).json()["code"] == "method_not_allowed"
    assert (await api.pilot.post("/pilot/claims", json=claim())).json()["code"] == "no_route"


async def test_a_parameter_that_nobody_knows_is_refused(api: Api) -> None:
    for query, code in (("?wait=5", "unknown_field"), ("?a=%00", "not_allowed")):
        problem = (await api.pilot.post(f"/pilot/claim{query}", json=claim())).json()
        assert (problem["status"], problem["code"]) == (422, code)


async def test_a_body_that_is_too_large_is_refused_whether_it_says_so_or_not(api: Api) -> None:
    async def parts() -> Any:
        for _ in range(17):
            yield b" " * MIB

    for content in (b" " * 17 * MIB, parts()):
        answer = await api.pilot.post("/pilot/claim", content=content)
        assert (answer.status_code, answer.json()["code"]) == (413, "body.size")


async def test_a_body_may_come_slowly(api: Api) -> None:
    content = json.dumps(claim()).encode()
    head = f"POST /api/v2/pilot/claim HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.tokens['pilot']}\r\nContent-Length: {len(content)}\r\n\r\n".encode()
    async with listening(api) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for part in (head[:40], head[40:], content[:10], content[10:30], content[30:]):
            writer.write(part)
            await writer.drain()
            assert (await api.ada.get("/system/whoami")).status_code == 200  # somebody else is served meanwhile
        assert (await asyncio.wait_for(reader.readline(), 10)).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_a_caller_that_goes_away_in_the_middle_of_its_body_is_no_fault(api: Api) -> None:
    async with listening(api) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"POST /api/v2/pilot/report HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.tokens['pilot']}\r\nContent-Length: 99\r\n\r\n"
        writer.write(head.encode() + b"{")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        await until_soon(lambda: answered(api, "/api/v2/pilot/report", 503))


async def test_beyond_the_limit_calls_are_told_when_to_come_again_before_anything_is_read(api: Api) -> None:
    core = replace(api.core, options=replace(api.core.options, most_calls=0))
    async with client_of(create_app(core), None) as client:
        answer = await client.post("/pilot/claim", content=b"no JSON")
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    assert 1 <= int(answer.headers["retry-after"]) <= 3


async def test_claims_that_wait_do_not_count_as_work(api: Api) -> None:
    core = replace(api.core, options=replace(api.core.options, most_calls=1))
    busy = replace(api, core=core, app=create_app(core))
    async with listening(busy) as port:
        _, first = await ask(port, api.tokens["pilot"], claim(wait_seconds=30))
        await until_soon(lambda: core.room.waiting == 1)
        _, second = await ask(port, api.tokens["pilot"], claim(wait_seconds=30))
        await until_soon(lambda: core.room.waiting == 2)
        first.close()
        second.close()


async def test_a_server_that_ends_says_so_with_each_answer(api: Api) -> None:
    assert "connection" not in (await api.pilot.post("/pilot/claim", json=claim())).headers
    api.core.stopping.set()
    for answer in (await api.pilot.post("/pilot/claim", json=claim(wait_seconds=30)), await api.ada.get("/queues")):
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")


async def test_a_queue_that_an_operator_takes_offline_hands_out_nothing_soon(api: Api) -> None:
    await api.world.submit(**{"name": "t", **_task()})
    await api.world.settle()
    assert len((await api.pilot.post("/pilot/claim", json=claim())).json()["jobs"]) == 1
    async with api.core.pool.acquire() as connection:
        await connection.execute("UPDATE queue SET status = 'offline' WHERE name = 'local'")

    async def nothing() -> bool:
        return not (await api.pilot.post("/pilot/claim", json=claim())).json()["jobs"]

    await until(nothing, "the queue hands out nothing")


async def test_a_claim_that_waits_gets_nothing_once_its_queue_is_offline(api: Api) -> None:
    async with waiting(api, claim(wait_seconds=30)) as (call,):
        await api.world.submit(**{"name": "t", **_task()})
        await api.world.settle()
        async with api.core.pool.acquire() as connection:
            await connection.execute("UPDATE queue SET status = 'offline' WHERE name = 'local'")

        async def nothing() -> bool:
            return not await api.core.presence.gives(Claim(api.world.queue_id, convert(claim(), ClaimRequest)))

        async def quiet() -> bool:
            return all(line.round is None for line in api.core.room._lines.values())

        await until(nothing, "the server has heard of it")
        api.core.room.ring_all()
        await until(quiet, "the bell was heard")
        assert not call.done()
        api.core.stopping.set()
        assert (await call).json()["jobs"] == []
    async with api.core.pool.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM job WHERE claim_id IS NOT NULL") == 0


async def test_a_claim_that_waits_is_refused_once_its_worker_has_ended_and_the_next_in_line_gets_the_job(api: Api) -> None:
    worker = (await api.operator.post("/workers", json={"queue": "local", "provisioner": "test"})).json()["worker_id"]
    async with waiting(api, claim(wait_seconds=30, worker_id=worker), claim(wait_seconds=30)) as (first, second):
        async with api.core.pool.acquire() as connection:
            await connection.execute("UPDATE worker SET status = 'finished', ended_at = now() WHERE worker_id = $1", worker)

        async def refused() -> bool:
            return (await api.pilot.post("/pilot/claim", json=claim(worker_id=worker))).status_code == 409

        await until(refused, "the server has heard of it")
        await api.world.submit(**{"name": "t", **_task()})
        await api.world.settle()
        api.core.room.ring_all()
        assert (await first).json()["code"] == "worker.ended"
        assert len((await second).json()["jobs"]) == 1


@asynccontextmanager
async def waiting(api: Api, *claims: dict[str, Any]) -> AsyncIterator[list[asyncio.Task[httpx.Response]]]:
    """The calls of these claims, which wait in this order, for the bell alone."""
    calls, api.core.room.look_seconds = [], 1000
    for n, each in enumerate(claims):
        calls.append(asyncio.create_task(api.pilot.post("/pilot/claim", json=each)))
        await until_soon(lambda n=n: api.core.room.waiting == n + 1)  # type: ignore[misc]  # a lambda's default has no type
    try:
        yield calls
    finally:
        api.core.stopping.set()
        await asyncio.wait(calls, timeout=10)


def _task() -> dict[str, Any]:
    return {"inputs": {"events": {"count": 200}}}


async def test_workers_are_seen_in_batches_and_only_in_their_own_queue(api: Api) -> None:
    workers = [(await api.operator.post("/workers", json={"queue": "local", "provisioner": "test"})).json()["worker_id"] for _ in range(5)]
    head = {"protocol": 1, "pilot_version": "test", "jobs": []}
    for worker in workers[:4]:
        assert (await api.pilot.post("/pilot/heartbeat", json={**head, "worker_id": worker})).status_code == 200
    assert (await api.stranger.post("/pilot/heartbeat", json={**head, "worker_id": workers[4]})).status_code == 200

    async def seen() -> bool:
        async with api.core.pool.acquire() as connection:
            found = await connection.fetch("SELECT worker_id FROM worker WHERE seen_at IS NOT NULL ORDER BY worker_id")
        return [row["worker_id"] for row in found] == workers[:4]

    await until(seen, "four workers are seen")


async def test_the_states_of_queues_and_workers_are_read_in_sets(api: Api) -> None:
    worker = (await api.operator.post("/workers", json={"queue": "local", "provisioner": "test"})).json()["worker_id"]
    async with api.core.pool.acquire() as connection:
        found = await places.queue_states(connection, ["local", "other", "none"])
    assert {name: state.status for name, state in found.items()} == {"local": "online", "other": "online"}
    unknown = (await api.pilot.post("/pilot/claim", json=claim(worker_id=worker + 1000))).json()
    assert (unknown["status"], unknown["code"], unknown["value"]) == (404, "worker.unknown", worker + 1000)
