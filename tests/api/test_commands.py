"""Commands over HTTP: each is taken where the table says, by whom the table says, and what came of it can be looked up."""

from typing import Any

from pandawms.domain.command import Verb
from pandawms.engine.command.step import step as command
from pandawms.wire.command import BODIES
from tests.api.conftest import Api
from tests.api.test_tasks import submitted
from tests.world import task as document

BODY: dict[str, dict[str, Any]] = {
    "set": {"priority": 5}, "extend": {"changes": {"inputs": {"events": {"count": 20}}}}, "recover": {"files": ["x"]}, "fork": {"name": "copy"},
}  # fmt: skip


async def test_every_command_has_a_route_that_refuses_others_and_what_does_not_fit(api: Api) -> None:
    task_id = await submitted(api)
    for verb in Verb:
        body = BODY.get(str(verb), {})
        assert (await api.eve.post(f"/tasks/{task_id}/{verb}", json=body)).status_code == 404
        refused = await api.bob.post(f"/tasks/{task_id}/{verb}", json=body)
        assert (refused.status_code, refused.json()["code"]) in ((403, "not_owner"), (403, "role")), verb
        unknown = await api.ada.post(f"/tasks/{task_id}/{verb}", json=body | {"zzz": 1})
        assert (unknown.status_code, unknown.json()["code"]) == (422, "unknown_field"), verb
    assert set(BODIES) == set(Verb)


async def test_a_command_that_the_status_does_not_take_is_a_conflict_with_what_would_help(api: Api) -> None:
    task_id = await submitted(api)
    answer = (await api.ada.post(f"/tasks/{task_id}/retry")).json()
    assert (answer["status"], answer["code"], answer["value"]) == (409, "command_not_accepted", "registered")
    assert answer["allowed"] == "exhausted, finished, failed"


async def test_what_came_of_a_command_can_be_looked_up(api: Api) -> None:
    task_id = await submitted(api)
    await api.world.settle()
    taken = (await api.ada.post(f"/tasks/{task_id}/pause", json={"reason": "tea"})).json()
    before = (await api.ada.get(f"/commands/{taken['command_id']}")).json()
    assert (before["verb"], before["arguments"], before["applied_at"], before["asked_by"]) == ("pause", {"reason": "tea"}, None, "ada")
    again = (await api.ada.post(f"/tasks/{task_id}/pause", json={"reason": "coffee"})).json()
    assert again["command_id"] == taken["command_id"]
    other = (await api.ada.post(f"/tasks/{task_id}/kill")).json()
    assert (other["status"], other["code"]) == (409, "command_pending")
    await api.world.settle()
    after = (await api.bob.get(f"/commands/{taken['command_id']}")).json()
    assert (after["answer"], after["result"]) == ("paused: 5 ready jobs held", {"held": 5})
    assert (await api.eve.get(f"/commands/{taken['command_id']}")).status_code == 404
    assert (await api.ada.get("/commands/999")).status_code == 404
    assert [each["verb"] for each in (await api.ada.get(f"/tasks/{task_id}/commands")).json()["items"]] == ["pause"]
    why = (await api.ada.get(f"/tasks/{task_id}/why")).json()
    assert "tea" in [cause["text"] for cause in why["causes"]]


async def test_a_command_is_taken_back_as_long_as_nothing_of_it_is_done(api: Api) -> None:
    task_id = await submitted(api)
    other_id = await submitted(api, name="other")
    await api.world.settle()
    unnamed = (await api.ada.delete(f"/tasks/{task_id}/command")).json()
    assert (unnamed["status"], unnamed["field"]) == (422, "command_id")
    none = (await api.ada.delete(f"/tasks/{task_id}/command?command_id=999")).json()
    assert (none["status"], none["code"]) == (404, "command.unknown")
    taken = (await api.ada.post(f"/tasks/{task_id}/pause")).json()["command_id"]
    path = f"/tasks/{task_id}/command?command_id={taken}"
    assert (await api.ada.delete(f"/tasks/{other_id}/command?command_id={taken}")).json()["code"] == "command.unknown"
    assert (await api.eve.delete(path)).status_code == 404
    assert (await api.bob.delete(path)).json()["code"] == "not_owner"
    back = (await api.ada.delete(path)).json()
    assert (back["command_id"], back["verb"], back["answer"], back["applied_at"] is None) == (taken, "pause", "withdrawn by ada", False)
    await api.world.settle()
    assert (await api.ada.get(f"/tasks/{task_id}")).json()["status"] in ("running", "ready")
    killed = (await api.ada.post(f"/tasks/{task_id}/kill")).json()["command_id"]
    await command(api.world.pool, api.world.services)
    path = f"/tasks/{task_id}/command?command_id={killed}"
    begun = (await api.ada.delete(path)).json()
    assert (begun["status"], begun["code"], begun["value"]) == (409, "command.begun", killed)
    await api.world.settle()
    assert (await api.ada.get(f"/tasks/{task_id}")).json()["status"] == "aborted"
    applied = (await api.ada.delete(path)).json()
    assert (applied["status"], applied["code"]) == (409, "command.applied")
    assert "(kill)" in applied["detail"]


async def test_a_command_that_is_taken_back_twice_is_that_one_and_never_the_next(api: Api) -> None:
    """The client repeats what got no answer; meanwhile somebody else may have given another command."""
    task_id = await submitted(api)
    await api.world.settle()
    taken = (await api.ada.post(f"/tasks/{task_id}/pause")).json()["command_id"]
    path = f"/tasks/{task_id}/command?command_id={taken}"
    first = (await api.ada.delete(path)).json()
    next_id = (await api.ada.post(f"/tasks/{task_id}/kill")).json()["command_id"]
    again = await api.ada.delete(path)
    assert (again.status_code, again.json()) == (200, first)
    assert (await api.ada.get(f"/commands/{next_id}")).json()["applied_at"] is None


async def test_a_command_that_somebody_has_in_hand_is_asked_about_again(api: Api) -> None:
    """A repeat may come while the first request is not through: whether it is withdrawn is not known yet."""
    task_id = await submitted(api)
    await api.world.settle()
    taken = (await api.ada.post(f"/tasks/{task_id}/pause")).json()["command_id"]
    async with api.world.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT 1 FROM command WHERE command_id = $1 FOR UPDATE", taken)
        held = await api.ada.delete(f"/tasks/{task_id}/command?command_id={taken}")
        assert (held.status_code, held.json()["code"]) == (503, "command.in_hand")
    assert (await api.ada.delete(f"/tasks/{task_id}/command?command_id={taken}")).status_code == 200


async def test_what_is_set_is_checked_at_the_door(api: Api) -> None:
    task_id = await submitted(api)
    for body, code, field in (
        ({}, "set.nothing", "body"), ({"share": "none"}, "share.unknown", "share"), ({"queues": ["locl"]}, "queue.unknown", "queues"),
        ({"priority": 10_001}, "out_of_range", "priority"), ({"memory_mb": "much"}, "wrong_type", "memory_mb"),
    ):  # fmt: skip
        answer = (await api.ada.post(f"/tasks/{task_id}/set", json=body)).json()
        assert (answer["status"], answer["code"], answer["field"]) == (422, code, field), body
    both = (await api.ada.post(f"/tasks/{task_id}/reassign", json={"queues": ["local"], "site": "here"})).json()
    assert both["code"] in ("reassign.both", "command_not_accepted")
    assert (await api.ada.post(f"/tasks/{task_id}/set", json={"queues": ["local"], "memory_mb": 2000})).status_code == 202


async def test_a_priority_of_zero_is_set(api: Api) -> None:
    task_id = await submitted(api)
    for body, wanted in (({"priority": 0, "attempts": 2}, {"priority": 0, "attempts": 2}), ({"priority": 0}, {"priority": 0})):
        taken = await api.ada.post(f"/tasks/{task_id}/set", json=body)
        assert (await api.ada.get(f"/commands/{taken.json()['command_id']}")).json()["arguments"] == wanted
        await api.world.settle()
        assert (await api.ada.get(f"/tasks/{task_id}")).json()["priority"] == 0


async def test_whether_others_tasks_are_reached_is_said_by_the_door_and_by_no_body(api: Api) -> None:
    for name in ("one", "two", "three"):
        await api.ada.post("/tasks", json=document(name))
    await api.world.run_all()
    for name in ("one", "two", "three"):
        reads = {"inputs": {"in": {"dataset": f"user.ada:{name}.out"}}, "program": {"command": "cat %IN > %OUT"}, "split": {"files_per_job": 1}}
        assert (await api.bob.post("/tasks", json=document(f"of-{name}", **reads))).status_code == 201
    await api.world.run_all()
    forged = await api.ada.post("/tasks/one/obsolete", json={"is_production": True})
    assert (forged.status_code, forged.json()["code"]) == (422, "unknown_field")
    many: dict[str, Any] = {"verb": "obsolete", "selector": {"names": ["three"]}}
    assert (await api.ada.post("/tasks/commands", json=many | {"arguments": {"is_production": True}})).json()["code"] == "unknown_field"
    assert (await api.ada.post("/tasks/one/obsolete")).status_code == 202
    assert (await api.operator.post("/tasks/two/obsolete")).status_code == 202
    assert (await api.operator.post("/tasks/commands", json=many)).json()["n_asked"] == 1
    await api.world.settle()
    assert [(await api.bob.get(f"/tasks/of-{name}")).json()["status"] for name in ("one", "two", "three")] == ["done", "obsolete", "obsolete"]


async def test_a_selector_beyond_what_the_database_holds_is_refused_at_the_door(api: Api) -> None:
    for selector, field in (({"ids": [2**63]}, "selector.ids"), ({"ids": [0]}, "selector.ids"), ({"names": ["x"] * 51}, "selector.names")):
        answer = await api.ada.post("/tasks/commands", json={"verb": "kill", "selector": selector, "dry_run": True})
        assert (answer.status_code, answer.json()["field"].startswith(field)) == (422, True), answer.json()
    largest = await api.ada.post("/tasks/commands", json={"verb": "kill", "selector": {"ids": [2**63 - 1]}, "dry_run": True})
    assert largest.json()["n_selected"] == 0


async def test_a_fork_is_made_at_once_and_once(api: Api) -> None:
    task_id = await submitted(api)
    await api.world.run_all()
    headers = {"Idempotency-Key": "k"}
    made = await api.ada.post(f"/tasks/{task_id}/fork", json={"name": "copy"}, headers=headers)
    again = await api.ada.post(f"/tasks/{task_id}/fork", json={"name": "copy"}, headers=headers)
    assert (made.status_code, again.status_code, made.json()["task_id"]) == (201, 200, again.json()["task_id"])
    await api.world.settle()
    assert (await api.ada.get("/tasks/copy")).json()["status"] == "done"
    refused = (await api.ada.post(f"/tasks/{task_id}/fork", json={"name": "x", "changes": {"outputs": {}}})).json()
    assert (refused["status"], refused["field"]) == (422, "changes.outputs")


async def test_many_are_counted_then_commanded_and_only_ones_own(api: Api) -> None:
    for name in ("z-1", "z-2", "y-1"):
        assert (await api.ada.post("/tasks", json=document(name))).status_code == 201
    await api.world.settle()
    body: dict[str, Any] = {"verb": "pause", "selector": {"names": ["z-*"]}, "dry_run": True}
    preview = (await api.ada.post("/tasks/commands", json=body)).json()
    assert (preview["n_selected"], preview["n_accepted"], preview["n_asked"], preview["refused"]) == (2, 2, 0, {})
    assert [task["name"] for task in preview["sample"]] == ["z-1", "z-2"]
    wrong = await api.ada.post("/tasks/commands", json=body | {"dry_run": False, "expected_count": 3})
    assert (wrong.status_code, wrong.json()["code"]) == (409, "selector.count_changed")
    done = (await api.ada.post("/tasks/commands", json=body | {"dry_run": False, "expected_count": 2, "arguments": {"reason": "tea"}})).json()
    assert done["n_asked"] == 2
    pending = (await api.ada.post("/tasks/commands", json=body)).json()
    assert (pending["n_accepted"], pending["refused"]) == (0, {"pending": 2})
    await api.world.settle()
    found = (await api.ada.get("/tasks")).json()["items"]
    assert {task["name"]: task["status"] for task in found} == {"z-1": "paused", "z-2": "paused", "y-1": "running"}
    everything = {"verb": "kill", "selector": {"all": True}, "dry_run": True}
    assert (await api.bob.post("/tasks/commands", json=everything)).json()["n_selected"] == 0
    theirs = {"verb": "kill", "selector": {"owner": "ada", "all": True}, "dry_run": True}
    assert (await api.bob.post("/tasks/commands", json=theirs)).json()["refused"] == {"denied": 3}
    assert (await api.eve.post("/tasks/commands", json=theirs)).json()["n_selected"] == 0
    assert (await api.operator.post("/tasks/commands", json=theirs)).json()["n_accepted"] == 3


async def test_a_selection_of_nothing_and_arguments_of_another_command_are_refused(api: Api) -> None:
    for body, code in (
        ({"verb": "kill", "selector": {}}, "selector.empty"), ({"verb": "kill", "selector": {"statuses": ["runing"]}}, "not_allowed"),
        ({"verb": "kill", "selector": {"all": True}, "arguments": {"soft": True}}, "unknown_field"),
        ({"verb": "fork", "selector": {"all": True}}, "not_allowed"),
    ):  # fmt: skip
        answer = await api.ada.post("/tasks/commands", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, code), body


async def test_what_stands_still_is_listed(api: Api) -> None:
    task_id = await submitted(api)
    async with api.core.pool.acquire() as connection:
        await connection.execute('UPDATE task SET reason = \'{"code": "stuck.registered", "text": "so it is"}\' WHERE task_id = $1', task_id)
    found = (await api.ada.get("/tasks?stuck=true")).json()["items"]
    assert [(task["task_id"], task["reason"]) for task in found] == [(task_id, "so it is")]
    assert (await api.ada.get("/tasks?stuck=false")).json()["items"] == []
