"""Queues, sites, workers, tokens, sandboxes and the system itself, over HTTP."""

from datetime import timedelta
from hashlib import sha256
from pathlib import Path

from pandawms.api.tokens import issue, load_or_create_key
from tests.api.conftest import Api, client_of
from tests.api.test_pilot import claim
from tests.api.test_tasks import submitted
from tests.waiting import until
from tests.world import task


async def test_queues_and_sites_are_shown_with_what_they_offer(api: Api) -> None:
    queue = (await api.ada.get("/queues/local")).json()
    assert (queue["status"], queue["memory_mb"], queue["storage_endpoint"], queue["jobs"]["activated"]) == ("online", 4000, "disk", 0)
    assert (queue["nodes"], queue["cores"], queue["gpus"], queue["gpu_model"], queue["gpu_memory_mb"]) == (1, 1, 0, "", 0)
    assert [each["name"] for each in (await api.ada.get("/queues")).json()["items"]] == ["local", "other"]
    (site,) = (await api.ada.get("/sites")).json()["items"]
    assert (site["name"], site["queues"], site["storage_endpoints"]) == ("here", ["local", "other"], ["disk"])


async def test_the_demand_of_a_queue_counts_work_and_workers(api: Api) -> None:
    await submitted(api)
    await api.world.settle()
    await api.operator.post("/workers", json={"queue": "local", "provisioner": "test"})
    demand = (await api.operator.get("/queues/local/demand")).json()
    assert demand == {"queue": "local", "status": "online", "waiting_jobs": 5, "running_jobs": 0, "slots": 2, "workers": {"pending": 1}}


async def test_a_worker_is_made_with_a_token_for_its_queue_and_followed_to_its_end(api: Api) -> None:
    headers = {"Idempotency-Key": "w1"}
    first = await api.operator.post("/workers", json={"queue": "local", "provisioner": "test"}, headers=headers)
    again = await api.operator.post("/workers", json={"queue": "local", "provisioner": "test"}, headers=headers)
    worker = first.json()
    assert (first.status_code, again.status_code, again.json()["worker_id"]) == (201, 200, worker["worker_id"])
    target = f"/workers/{worker['worker_id']}"
    async with client_of(api.app, worker["token"]) as pilot:
        assert (await pilot.post("/pilot/claim", json=claim(worker_id=worker["worker_id"]))).status_code == 200
        assert (await pilot.post("/pilot/claim", json=claim(queue="other"))).status_code == 403
        early = (await api.operator.patch(target, json={"status": "running"})).json()
        assert (early["status"], early["code"], early["allowed"]) == (409, "worker_status", "submitted, cancelled, missed")
        for status in ("submitted", "running", "submitted"):
            changed = (await api.operator.patch(target, json={"status": status, "batch_id": "77", "node": "n1"})).json()
        assert (changed["status"], changed["batch_id"], changed["node"]) == ("running", "77", "n1")
        ended = (await api.operator.patch(target, json={"status": "failed", "exit_code": 9, "reason": "node died"})).json()
        assert (ended["status"], ended["reason"]) == ("failed", "node died (exit code 9)")
        assert (await api.operator.patch(target, json={"status": "failed"})).status_code == 200
        assert (await api.operator.patch(target, json={"status": "running"})).json()["allowed"] == "nothing: it has ended"

        async def is_refused() -> bool:
            answer = await pilot.post("/pilot/claim", json=claim(worker_id=worker["worker_id"]))
            return (answer.status_code, answer.json().get("code")) == (409, "worker.ended")

        await until(is_refused, "the end of the worker is heard")
    assert (await api.ada.get("/workers?status=failed")).json()["items"][0]["token"] is None
    assert (await api.operator.patch(target, json={"status": "dead"})).json()["code"] == "unknown_status"


async def test_a_revoked_token_is_worthless_within_seconds(api: Api) -> None:
    made = (await api.ada.post("/tokens", json={"name": "script"})).json()
    listed = {token["token_id"]: token for token in (await api.ada.get("/tokens")).json()["items"]}
    assert listed[made["token_id"]]["name"] == "script"
    assert "token" not in listed[made["token_id"]]
    assert (await api.bob.delete(f"/tokens/{made['token_id']}")).status_code == 404
    async with client_of(api.app, made["token"]) as script:
        assert (await script.get("/system/whoami")).status_code == 200
        assert (await api.ada.delete(f"/tokens/{made['token_id']}")).status_code == 204

        async def is_worthless() -> bool:
            return (await script.get("/system/whoami")).status_code == 401

        await until(is_worthless, "the revocation is heard")


async def test_a_token_that_another_key_signed_is_refused_even_if_its_hash_is_known(api: Api, tmp_path: Path) -> None:
    async with api.core.pool.acquire() as connection:
        forged = await issue(connection, load_or_create_key(tmp_path / "other.json"), api.world.who.user_id, "", ("operator",), None, None, timedelta(hours=1))
    async with client_of(api.app, forged) as forger:
        assert (await forger.get("/system/whoami")).json()["code"] == "unauthenticated"


async def test_an_expired_token_is_refused(api: Api) -> None:
    async with api.core.pool.acquire() as connection:
        old = await issue(connection, api.core.key, api.world.who.user_id, "", ("user",), None, None, timedelta(seconds=-1))
    async with client_of(api.app, old) as late:
        assert (await late.get("/system/whoami")).json()["code"] == "unauthenticated"


async def test_whoami_says_what_a_token_may_do(api: Api) -> None:
    ada, pilot = (await api.ada.get("/system/whoami")).json(), (await api.pilot.get("/system/whoami")).json()
    assert (ada["user"], ada["community"], ada["scopes"], ada["queue"]) == ("ada", "local", ["user"], None)
    assert ada["expires_at"] is not None
    assert (pilot["scopes"], pilot["queue"]) == (["pilot"], "local")


async def test_health_tells_that_no_engine_runs_and_that_the_database_is_away(api: Api) -> None:
    degraded = await api.nobody.get("/system/health")
    assert (degraded.status_code, degraded.json()["status"]) == (200, "degraded")
    assert {check["name"]: check["ok"] for check in degraded.json()["checks"]} == {
        "database": True,
        "schema": True,
        "engine": False,
        "provisioner": True,
    }
    async with api.core.pool.acquire() as connection:
        await connection.execute("UPDATE queue SET provisioned_at = now() - interval '1 min'")
    silent = {check["name"]: check for check in (await api.nobody.get("/system/health")).json()["checks"]}["provisioner"]
    assert (silent["ok"], "nobody starts pilots" in silent["detail"]) == (False, True)
    await api.core.pool.close()
    down = await api.nobody.get("/system/health")
    assert (down.status_code, down.json()["status"]) == (503, "down")


async def test_a_sandbox_belongs_to_who_sent_it_and_to_the_pilots_that_need_it(api: Api) -> None:
    content = b"a program" * 100
    digest = sha256(content).hexdigest()
    target = f"/sandboxes/{digest}"
    assert (await api.ada.head(target)).status_code == 404
    wrong = (await api.ada.put(target, content=b"something else")).json()
    assert (wrong["status"], wrong["code"], wrong["value"]) == (422, "content.sha256", digest)
    assert (await api.ada.put(target, content=content)).status_code == 201
    assert (await api.ada.put(target, content=content)).status_code == 200
    assert (await api.ada.head(target)).status_code == 200
    assert (await api.ada.get(target)).content == content
    assert (await api.bob.get(target)).status_code == 404
    assert (await api.pilot.get(target)).status_code == 404
    await api.ada.post("/tasks", json=task(program={"command": "x > %OUT", "sandbox": digest}))
    await api.world.settle()
    assert (await api.pilot.get(target)).status_code == 404
    (job,) = await api.world.claim()
    assert job.sandbox is not None
    assert (await api.pilot.get(target)).content == content
    assert (await api.stranger.get(target)).status_code == 404
    assert (await api.ada.get("/sandboxes/xyz")).json()["field"] == "sha256"


async def test_metrics_count_claims_reports_and_jobs(api: Api) -> None:
    await submitted(api)
    await api.world.settle()
    await api.pilot.post("/pilot/claim", json=claim())
    async with client_of(api.app, None, address="127.0.0.1") as scraper:
        text = (await scraper.get("/metrics")).text
        assert 'panda_claims_total{answer="jobs"} 1.0' in text
        assert 'panda_jobs{status="activated"} 4' in text
        assert 'panda_requests_total{method="POST",route="/api/v2/pilot/claim",status="200"} 1.0' in text
        assert (await scraper.get("/metrics", headers={"X-Forwarded-For": "192.0.2.1"})).status_code == 401
