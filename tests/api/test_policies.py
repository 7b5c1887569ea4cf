"""Who may do what, over HTTP."""

from litestar import get

from pandawms.api.app import bare_app
from pandawms.api.openapi import handlers
from pandawms.api.policies import SCOPES, Action
from tests.api.conftest import Api
from tests.api.test_pilot import claim
from tests.api.test_tasks import submitted


def test_every_route_names_its_policy() -> None:
    app = bare_app()
    named = {handler.fn for _, handler in handlers(app)}
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            is_ours = handler.fn.__module__.startswith("pandawms")
            assert not is_ours or (handler.fn in named and isinstance(handler.opt["policy"], Action)), handler


def test_every_action_says_which_scopes_it_needs() -> None:
    assert set(SCOPES) == set(Action)
    assert {action for action, scopes in SCOPES.items() if not scopes} == {Action.PUBLIC}


async def test_a_route_without_a_policy_is_denied_to_everybody(api: Api) -> None:
    @get("/api/v2/forgotten", sync_to_thread=False)
    def forgotten() -> str:
        return "secret"

    api.app.register(forgotten)
    answer = await api.operator.get("/forgotten")
    assert (answer.status_code, answer.json()["code"]) == (403, "no_policy")


async def test_what_is_public_is_little(api: Api) -> None:
    public = {path for path, handler in handlers(api.app) if handler.opt["policy"] is Action.PUBLIC}
    assert public == {"/api/v2/docs", "/api/v2/openapi.json", "/api/v2/schemas/task", "/api/v2/system/health", "/api/v2/system/version"}
    for path in public:
        assert (await api.nobody.get(path.removeprefix("/api/v2"))).status_code == 200


async def test_another_community_sees_nothing(api: Api) -> None:
    task_id = await submitted(api)
    await api.world.settle()
    for part in ("", "/files", "/jobs", "/events", "/outputs", "/why"):
        assert (await api.eve.get(f"/tasks/{task_id}{part}")).status_code == 404
        assert (await api.bob.get(f"/tasks/{task_id}{part}")).status_code == 200
    for path in ("/tasks", "/jobs", "/datasets", "/queues", "/workers"):
        assert (await api.eve.get(path)).json()["items"] == []
    (job,) = await api.world.claim()
    for part in ("", "/files", "/events", "/why"):
        assert (await api.eve.get(f"/jobs/{job.job_id}{part}")).status_code == 404


async def test_only_the_owner_and_operators_command(api: Api) -> None:
    task_id = await submitted(api)
    refused = (await api.bob.post(f"/tasks/{task_id}/kill")).json()
    assert (refused["status"], refused["code"], refused["value"], refused["hint"]) == (403, "not_owner", "bob", "ask ada to do it")
    assert (await api.eve.post(f"/tasks/{task_id}/kill")).status_code == 404
    assert (await api.operator.post(f"/tasks/{task_id}/kill")).status_code == 202


async def test_a_killed_task_ends(api: Api) -> None:
    task_id = await submitted(api)
    await api.world.settle()
    answer = await api.ada.post(f"/tasks/{task_id}/kill", json={"reason": "wrong seed"})
    assert (answer.status_code, answer.json()["subject"], answer.json()["status"]) == (202, f"task {task_id}", "running")
    await api.world.settle()
    detail = (await api.ada.get(f"/tasks/{task_id}")).json()
    assert detail["status"] == "aborted"
    assert (await api.ada.post(f"/tasks/{task_id}/kill")).status_code == 409


async def test_a_pilot_speaks_only_for_jobs_of_its_queue(api: Api) -> None:
    await submitted(api)
    await api.world.settle()
    (job,) = (await api.pilot.post("/pilot/claim", json=claim())).json()["jobs"]
    beat = {"job_id": job["job_id"], "claim_id": job["claim_id"], "attempt": 1, "phase": "running"}
    head = {"protocol": 1, "pilot_version": "test"}
    refused = (await api.stranger.post("/pilot/heartbeat", json={**head, "jobs": [beat]})).json()
    assert (refused["status"], refused["code"], refused["value"]) == (403, "job.foreign", job["job_id"])
    report = {"job_id": job["job_id"], "claim_id": job["claim_id"], "attempt": 1, "outcome": {"domain": "none", "code": 0}}
    assert (await api.stranger.post("/pilot/report", json={**head, "jobs": [report]})).status_code == 403
    assert (await api.ada.get(f"/jobs/{job['job_id']}")).json()["status"] == "sent"


async def test_users_make_tokens_for_themselves_only(api: Api) -> None:
    assert (await api.ada.post("/tokens", json={"scopes": ["operator"]})).status_code == 403
    assert (await api.ada.post("/tokens", json={"user": "bob"})).status_code == 403
    assert (await api.ada.post("/tokens", json={"scopes": ["pilot"], "queue": "local"})).status_code == 403
    made = (await api.operator.post("/tokens", json={"scopes": ["pilot"], "queue": "local"})).json()
    assert (await api.nobody.post("/pilot/claim", json=claim(), headers={"Authorization": f"Bearer {made['token']}"})).status_code == 200
    nameless = (await api.operator.post("/tokens", json={"scopes": ["pilot"]})).json()
    assert (nameless["status"], nameless["field"]) == (422, "queue")


async def test_metrics_are_open_on_this_machine_and_need_a_token_from_elsewhere(api: Api) -> None:
    assert (await api.nobody.get("/metrics")).status_code == 401
    assert (await api.pilot.get("/metrics")).status_code == 403
    text = (await api.ada.get("/metrics")).text
    assert 'panda_requests_total{method="GET",route="/api/v2/metrics",status="401"} 1.0' in text
