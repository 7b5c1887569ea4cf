"""Retry rules over HTTP: seen by users, changed by operators, tried on the past before they act."""

from typing import Any

import httpx

from pandawms.domain.codes import Code
from pandawms.domain.outcome import Outcome, outcome
from pandawms.engine.aggregate.retries.defaults import BUILT_IN
from tests.api.conftest import Api
from tests.api.test_tasks import submitted

QUOTA: dict[str, Any] = {"name": "quota", "action": "no_retry", "match": {"domain": "payload", "pattern": "quota of .* exceeded"}, "note": "why not"}
EXCEEDED = outcome(Code.PAYLOAD_FAILED, "quota of /scratch exceeded", exit_code=1)
KILLED = outcome(Code.TOO_MUCH_MEMORY, "killed at 1100 MB")


def problem(answer: httpx.Response) -> tuple[int, str, str | None]:
    """Status, code and field of a refusal, which has a hint."""
    told = answer.json()
    assert told["hint"], told
    return answer.status_code, told["code"], told.get("field")


async def fail(api: Api, how: Outcome, times: int) -> list[int]:
    """Lets the next jobs fail this way, one after the other, and the engine follow; returns their ids."""
    job_ids = []
    for _ in range(times):
        (job,) = await api.world.claim()
        await api.world.report(job, how)
        await api.world.settle()
        job_ids.append(job.job_id)
    return job_ids


async def test_built_in_rules_are_shown_with_where_they_come_from(api: Api) -> None:
    items = (await api.ada.get("/retry-rules")).json()["items"]
    assert [item["name"] for item in items] == sorted(rule.name for rule in BUILT_IN)
    (memory,) = [item for item in items if item["name"] == "memory-exceeded"]
    assert (memory["is_built_in"], memory["match"]["code"], memory["created_by"]) == (True, "too_much_memory", None)
    assert "1235" in memory["note"]


async def test_a_rule_is_made_read_changed_and_removed_and_says_who(api: Api) -> None:
    made = await api.operator.post("/retry-rules", json=QUOTA)
    assert (made.status_code, made.json()["version"], made.json()["created_by"]) == (201, 1, "ada")
    changed = await api.operator.patch("/retry-rules/quota", json={"version": 1, "mode": "log_only", "scope": {"queue": "local"}})
    assert (changed.json()["version"], changed.json()["mode"], changed.json()["scope"]["queue"], changed.json()["note"]) == (2, "log_only", "local", "why not")
    assert (await api.ada.get("/retry-rules/quota")).json() == changed.json()
    assert (await api.operator.delete("/retry-rules/quota")).status_code == 204
    assert problem(await api.operator.get("/retry-rules/quota")) == (404, "rule.unknown", "name")


async def test_a_repeated_creation_makes_one_rule_and_another_of_the_name_is_refused(api: Api) -> None:
    key = {"Idempotency-Key": "k1"}
    assert [(await api.operator.post("/retry-rules", json=QUOTA, headers=key)).status_code for _ in range(2)] == [201, 200]
    assert problem(await api.operator.post("/retry-rules", json=QUOTA)) == (409, "rule.exists", "name")


async def test_of_two_who_change_a_rule_they_have_read_the_second_is_told(api: Api) -> None:
    await api.operator.post("/retry-rules", json=QUOTA)
    assert (await api.operator.patch("/retry-rules/quota", json={"version": 1, "note": "a"})).status_code == 200
    late = await api.operator.patch("/retry-rules/quota", json={"version": 1, "note": "b"})
    assert (problem(late), late.json()["allowed"]) == ((409, "rule.changed", "version"), "2")


async def test_a_built_in_rule_is_switched_off_by_one_of_its_name_and_comes_back(api: Api) -> None:
    assert problem(await api.operator.delete("/retry-rules/looping-twice")) == (409, "rule.built_in", "name")
    off = (await api.operator.patch("/retry-rules/looping-twice", json={"mode": "off"})).json()
    assert (off["mode"], off["replaces"], off["is_built_in"], off["parameters"]) == ("off", True, False, {"max_attempts": 2})
    assert (await api.operator.delete("/retry-rules/looping-twice")).status_code == 204
    assert (await api.ada.get("/retry-rules/looping-twice")).json()["is_built_in"]


async def test_only_operators_change_and_try_rules(api: Api) -> None:
    for client in (api.ada, api.bob, api.pilot):
        for method, path, body in (
            ("POST", "/retry-rules", QUOTA), ("PATCH", "/retry-rules/looping-twice", {"mode": "off"}), ("DELETE", "/retry-rules/looping-twice", None),
            ("POST", "/retry-rules/simulate", {"rules": [QUOTA]}),
        ):  # fmt: skip
            assert (await client.request(method, path, json=body)).status_code == 403
    assert (await api.nobody.get("/retry-rules")).status_code == 401


async def test_bad_rules_are_refused_with_field_value_allowed_and_hint(api: Api) -> None:
    slow = await api.operator.post("/retry-rules", json=QUOTA | {"match": {"pattern": "(a+)+$"}})
    assert (problem(slow), slow.json()["value"]) == ((422, "pattern.slow", "match.pattern"), "(a+)+$")
    mistyped = await api.operator.post("/retry-rules", json=QUOTA | {"match": {"code": "out_of_tme"}})
    assert "out_of_time" in mistyped.json()["hint"]
    assert problem(await api.operator.post("/retry-rules", json=QUOTA | {"max_attempts": 3})) == (422, "rule.parameter", "max_attempts")
    assert problem(await api.operator.patch("/retry-rules/time-ran-out", json={"action": "more_memory"}))[:2] == (422, "rule.contradiction")
    third = await api.operator.post("/retry-rules/simulate", json={"rules": [QUOTA, QUOTA, QUOTA | {"match": {}}]})
    assert problem(third) == (422, "rule.no_match", "rules[2].match")
    unknown = await api.operator.post("/retry-rules", json=QUOTA | {"kind": "x"})
    assert (unknown.status_code, unknown.json()["field"]) == (422, "kind")


async def test_a_simulation_says_what_rules_would_have_done_and_does_nothing(api: Api) -> None:
    task_id = await submitted(api, inputs={"events": {"count": 4}}, split={"events_per_job": 2}, scouts={"jobs": 0})
    await api.world.settle()
    first = await fail(api, EXCEEDED, 1)
    await fail(api, KILLED, 1)
    while jobs := await api.world.claim():
        await api.world.report(jobs[0])
        await api.world.settle()
    limit = {"name": "once", "action": "limit_attempts", "max_attempts": 2, "match": {"domain": "payload"}}
    memory = {"name": "memory-exceeded", "action": "more_memory", "match": {"code": "too_much_memory"}, "step_mb": 500, "offset_mb": 1000}
    found = (await api.operator.post("/retry-rules/simulate", json={"rules": [QUOTA, limit, memory], "days": 1})).json()
    assert (found["n_failures"], found["n_tasks"], found["is_cut"]) == (2, 1, False)
    quota, once, more = found["effects"]
    assert (quota["n_matched"], quota["n_acting"], quota["saved_attempts"], quota["lost_successes"]) == (1, 1, 1, 1)
    assert (once["n_matched"], once["n_acting"], once["saved_attempts"]) == (2, 1, 0), "no_retry is the smaller limit for the first"
    assert (more["n_matched"], more["n_acting"], more["extra_memory_mb"]) == (1, 1, 500)
    (example,) = quota["examples"]
    assert (example["job_id"], example["task_id"], example["reason"]) == (first[0], task_id, "no further attempt")
    assert (await api.ada.get("/retry-rules/quota")).status_code == 404
    assert (await api.operator.post("/retry-rules/simulate", json={"rules": [QUOTA], "days": 0})).status_code == 422


async def test_a_job_and_its_task_say_which_rule_acted_and_why(api: Api) -> None:
    await api.operator.post("/retry-rules", json=QUOTA)
    task_id = await submitted(api, inputs={"events": {"count": 4}}, split={"events_per_job": 2}, scouts={"jobs": 0})
    await api.world.settle()
    (job_id,) = await fail(api, EXCEEDED, 1)
    causes = (await api.ada.get(f"/jobs/{job_id}/why")).json()["causes"]
    assert [cause["text"] for cause in causes if cause["code"] == "retry.no_retry"] == ["rule quota: payload_failed (payload 1305): no further attempt"]
    (act,) = (await api.ada.get(f"/jobs/{job_id}")).json()["retry_acts"]
    assert (act["rule"], act["rule_version"], act["is_applied"]) == ("quota", 1, True)
    causes = (await api.ada.get(f"/tasks/{task_id}/why")).json()["causes"]
    assert any(cause["code"] == "retry.no_retry" and "rule quota" in cause["text"] for cause in causes)
