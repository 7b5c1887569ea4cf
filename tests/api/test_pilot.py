"""The pilot's calls over HTTP."""

import time
from typing import Any
from uuid import uuid4

from tests.api.conftest import Api
from tests.api.test_tasks import submitted


def claim(**changes: Any) -> dict[str, Any]:
    """The body of a claim."""
    given = {
        "protocol": 1, "pilot_version": "test", "claim_id": uuid4().hex, "worker_id": None, "queue": "local", "node": "here", "n_jobs": 1, "cores": 1,
        "memory_mb": 4000, "disk_mb": 10_000, "remaining_seconds": None, "architecture": "x86_64", "gpus": 0, "wait_seconds": 0,
        "a_key_of_a_newer_pilot": [1],
    }  # fmt: skip
    return given | changes


async def test_a_pilot_claims_beats_and_reports(api: Api) -> None:
    task_id = await submitted(api)
    await api.world.settle()
    asked = claim()
    answer = (await api.pilot.post("/pilot/claim", json=asked)).json()
    (job,) = answer["jobs"]
    assert (job["task_id"], answer["lease_seconds"], answer["heartbeat_seconds"]) == (task_id, 30, 5)
    assert (await api.pilot.post("/pilot/claim", json=asked)).json()["jobs"] == [job]
    beat = {"job_id": job["job_id"], "claim_id": job["claim_id"], "attempt": 1, "phase": "running"}
    head = {"protocol": 1, "pilot_version": "test", "worker_id": None}
    beaten = (await api.pilot.post("/pilot/heartbeat", json={**head, "jobs": [beat]})).json()
    assert beaten["jobs"] == [{"job_id": job["job_id"], "verdict": "ok", "reason": "", "payloads": []}]
    file = {"stream": "out", "name": job["outputs"][0]["name"], "size_bytes": 3, "adler32": "01020304", "guid": str(uuid4())}
    report = {
        "job_id": job["job_id"], "claim_id": job["claim_id"], "attempt": 1, "outcome": {"domain": "none", "code": 0}, "started_at": time.time(),
        "wall_seconds": 2.0, "outputs": [file],
    }  # fmt: skip
    for verdict in ("accepted", "repeated"):
        told = (await api.pilot.post("/pilot/report", json={**head, "jobs": [report]})).json()
        assert told["jobs"][0]["verdict"] == verdict, told


async def test_a_claim_whose_answer_was_lost_gets_its_jobs_again_when_nothing_else_is_left(api: Api) -> None:
    await submitted(api)
    await api.world.settle()
    asked = claim(n_jobs=5)
    given = (await api.pilot.post("/pilot/claim", json=asked)).json()["jobs"]
    assert len(given) == 5
    assert (await api.pilot.post("/pilot/claim", json=claim())).json()["jobs"] == []
    again = (await api.pilot.post("/pilot/claim", json=asked)).json()["jobs"]
    assert [job["job_id"] for job in again] == [job["job_id"] for job in given]


async def test_a_claim_finds_nothing_in_an_empty_queue(api: Api) -> None:
    assert (await api.pilot.post("/pilot/claim", json=claim())).json()["jobs"] == []


async def test_another_protocol_is_refused_with_what_is_spoken(api: Api) -> None:
    problem = (await api.pilot.post("/pilot/claim", json=claim(protocol=7))).json()
    assert (problem["status"], problem["field"], problem["value"], problem["allowed"]) == (422, "protocol", 7, "1")


async def test_a_pilot_may_not_claim_for_another_queue(api: Api) -> None:
    problem = (await api.stranger.post("/pilot/claim", json=claim())).json()
    assert (problem["status"], problem["code"], problem["allowed"]) == (403, "queue.foreign", "other")


async def test_the_log_of_a_job_is_taken_from_its_claim_only(api: Api) -> None:
    await submitted(api)
    await api.world.settle()
    (job,) = (await api.pilot.post("/pilot/claim", json=claim())).json()["jobs"]
    target = f"/pilot/jobs/{job['job_id']}/log"
    assert (await api.pilot.put(target, params={"claim_id": uuid4().hex}, content=b"log")).status_code == 403
    assert (await api.stranger.put(target, params={"claim_id": job["claim_id"]}, content=b"log")).status_code == 403
    assert (await api.pilot.put(target, params={"claim_id": job["claim_id"]}, content=b"log")).status_code == 204
    assert api.core.blobs.log(job["job_id"]).read_bytes() == b"log"
