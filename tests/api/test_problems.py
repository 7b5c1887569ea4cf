"""Every kind of refusal, as its reader sees it: field, value, allowed, hint."""

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from pandawms.api.app import create_app
from pandawms.api.metrics import Metrics
from pandawms.wire.problem import CONTENT_TYPE
from tests.api.conftest import Api, client_of
from tests.api.test_tasks import submitted
from tests.world import task


class Anything:
    """Equals whatever it is compared with."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]  # equal to all, so it has no place in a set


ANY: Any = Anything()


def pointed(answer: httpx.Response, status: int, code: str, field: str | None, value: Any = ANY) -> dict[str, Any]:
    """Checks what a problem says, and returns it."""
    body: dict[str, Any] = answer.json()
    assert answer.headers["content-type"] == CONTENT_TYPE
    assert (answer.status_code, body["status"], body["code"], body["field"]) == (status, status, code, field), body
    assert body["value"] == value, body
    assert body["hint"], body
    assert body["request_id"] == answer.headers["x-request-id"]
    return body


WRONG: list[tuple[dict[str, Any], str, str, Any]] = [
    ({"nmae": "x"}, "unknown_field", "nmae", "x"),
    ({"name": 5}, "wrong_type", "name", 5),
    ({"resources": {"cores": "two"}}, "wrong_type", "resources.cores", "two"),
    ({"inputs": {"events": {"count": 0}}}, "out_of_range", "inputs.events.count", 0),
    ({"split": {"events_per_job": 1}, "inputs": {"events": {"count": 2_000_000}}}, "too_many_jobs", "split.events_per_job", 1),
    ({"outputs": {"a": "x", "b": "x"}}, "name_collides", "outputs.a", "x"),
    ({"program": {"command": "echo %EVNTS"}}, ANY, "program.command", ANY),
    ({"program": {"command": "x", "sandbox": "0" * 64}}, "sandbox.unknown", "program.sandbox", "0" * 64),
    ({"inputs": {"d": {"dataset": "user.ada:x"}}, "split": {}, "program": {"command": "%IN"}}, "input.unknown_dataset", "inputs.d.dataset", "user.ada:x"),
    ({"resources": {"memory_mb": 999_999}}, "task.impossible", "resources.memory_mb", 999_999),
    ({"community": "atlantis"}, "community.unknown", "community", "atlantis"),
]
"""What is wrong in a document, and how it is said: code, field, value."""


async def test_a_wrong_document_is_invalid_with_field_value_and_hint(api: Api, subtests: pytest.Subtests) -> None:
    for changes, code, field, value in WRONG:
        with subtests.test(field=field):
            body = pointed(await api.ada.post("/tasks", json=task(**changes)), 422, code, field, value)
            assert body["allowed"] or code == "sandbox.unknown", body
    assert (await api.ada.get("/tasks")).json()["items"] == []


async def test_what_is_no_json_is_malformed(api: Api) -> None:
    for content in (b"{", b"\xff", b"[" * 100_000):
        pointed(await api.ada.post("/tasks", content=content), 422, "malformed", None)
    pointed(await api.ada.post("/tasks"), 422, "malformed", "body")


async def test_an_unknown_filter_is_refused_with_those_that_are_known(api: Api) -> None:
    body = pointed(await api.ada.get("/tasks?statsu=done"), 422, "unknown_field", "statsu", "done")
    assert body["allowed"] == "cursor, limit, name, owner, status, stuck"
    assert body["hint"] == "did you mean status?"


async def test_an_unknown_status_is_refused_with_all_that_are(api: Api) -> None:
    for path in ("/tasks", "/jobs", "/workers"):
        body = pointed(await api.ada.get(f"{path}?status=finnished"), 422, "not_allowed", "status", "finnished")
        assert "finished" in body["allowed"].split(", ")
        assert body["hint"] == "did you mean finished?"


async def test_a_limit_out_of_range_says_the_range(api: Api) -> None:
    assert pointed(await api.ada.get("/tasks?limit=5000"), 422, "not_allowed", "limit", "5000")["allowed"] == "at most 1000"
    assert pointed(await api.ada.get("/tasks?limit=x"), 422, "not_allowed", "limit", "x")["allowed"] == "a whole number"
    pointed(await api.ada.get("/tasks?cursor=nonsense"), 422, "not_allowed", "cursor", "nonsense")


async def test_without_a_good_token_one_is_not_known(api: Api) -> None:
    for header in (None, "Basic eA==", "Bearer ", "Bearer x.y.z", f"Bearer {api.tokens['ada'][:-4]}AAAA"):
        answer = await api.nobody.get("/tasks", headers={"Authorization": header} if header else {})
        body = pointed(answer, 401, "unauthenticated", "Authorization")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert body["allowed"] == "Bearer <token>"
        assert body["value"] is None


async def test_a_token_of_the_wrong_scope_is_denied_with_the_right_one(api: Api) -> None:
    assert pointed(await api.ada.post("/pilot/claim", json={}), 403, "scope", "Authorization", "user")["allowed"] == "pilot"
    assert pointed(await api.ada.get("/queues/local/demand"), 403, "scope", "Authorization", "user")["allowed"] == "operator"
    assert pointed(await api.pilot.get("/tasks"), 403, "scope", "Authorization", "pilot")["allowed"] == "user"


async def test_what_is_not_there_says_what_is_near(api: Api) -> None:
    await submitted(api, name="histograms")
    assert pointed(await api.ada.get("/tasks/histogram"), 404, "task.unknown", "task", "histogram")["hint"] == "did you mean histograms?"
    pointed(await api.ada.get("/jobs/77"), 404, "job.unknown", "job_id", 77)
    pointed(await api.ada.get("/jobs/99999999999999999999"), 404, "unknown_id", "job_id")
    pointed(await api.ada.get("/datasets/user.ada:x"), 404, "dataset.unknown", "dataset", "user.ada:x")
    assert pointed(await api.ada.get("/queues/loacl"), 404, "queue.unknown", "name", "loacl")["hint"] == "did you mean local?"


async def test_an_unknown_route_and_a_wrong_method_are_problems_too(api: Api) -> None:
    pointed(await api.ada.get("/nothing/here"), 404, "no_route", "path")
    answer = await api.ada.delete("/tasks")
    assert pointed(answer, 405, "method_not_allowed", "method", "DELETE")["allowed"] == "GET, OPTIONS, POST"
    assert answer.headers["allow"] == "GET, OPTIONS, POST"


async def test_a_command_that_does_not_fit_is_a_conflict(api: Api) -> None:
    task_id = await submitted(api)
    body = pointed(await api.ada.post(f"/tasks/{task_id}/retry"), 409, "command_not_accepted", "status", "registered")
    assert "failed" in body["allowed"].split(", ")


async def test_a_name_taken_is_a_conflict(api: Api) -> None:
    await submitted(api)
    pointed(await api.ada.post("/tasks", json=task()), 409, "task.name_taken", "name", "t")


async def test_a_body_that_is_too_large_is_a_limit(api: Api) -> None:
    answer = await api.ada.post("/tasks", content=b"x" * (17 << 20))
    pointed(answer, 413, "body.size", "body")


async def test_a_database_that_is_away_is_unavailable_and_says_when_to_come_back(api: Api) -> None:
    await api.ada.get("/tasks")
    with capture_logs() as logs:
        await api.core.pool.close()
        answer = await api.ada.get("/tasks")
    pointed(answer, 503, "database.unavailable", None)
    assert 1 <= int(answer.headers["retry-after"]) <= 3
    assert logs[0]["event"] == "request.unavailable"


async def test_a_list_that_takes_too_long_is_unavailable(api: Api) -> None:
    with capture_logs():
        async with api.core.pool.acquire() as connection, connection.transaction():
            await connection.execute("LOCK TABLE task")
            impatient = replace(api.core, options=replace(api.core.options, list_seconds=0.1), metrics=Metrics())
            async with client_of(create_app(impatient), api.tokens["ada"]) as client:
                answer = await asyncio.wait_for(client.get("/tasks"), 10)
    pointed(answer, 503, "too_slow", None)


async def test_a_fault_of_ours_shows_no_trace_but_a_number_that_is_in_the_log(api: Api) -> None:
    async with api.core.pool.acquire() as connection:
        await connection.execute("ALTER TABLE task RENAME COLUMN reason TO because")
    with capture_logs() as logs:
        answer = await api.ada.get("/tasks", headers={"X-Request-ID": "mine-1"})
    body = pointed(answer, 500, "internal", None)
    assert body["request_id"] == "mine-1"
    assert "reason" not in answer.text
    assert [(line["event"], line["request_id"]) for line in logs] == [("request.failed", "mine-1")]


async def test_nul_is_refused_wherever_it_comes(api: Api) -> None:
    pointed(await api.ada.get("/tasks?name=a%00b"), 422, "not_allowed", "name")
    pointed(await api.ada.get("/tasks/a%00b"), 422, "not_allowed", "path")
    assert (await api.ada.post("/tasks", content=b'{"name": "\\u0000"}')).status_code == 422
