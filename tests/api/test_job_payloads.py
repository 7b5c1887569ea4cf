"""A job of several payloads: what its pilot tells over HTTP, and what is shown of each payload."""

from typing import Any

from pandawms.domain.codes import Code
from pandawms.domain.outcome import outcome
from pandawms.wire.pilot.codec import encode
from tests.api.conftest import Api
from tests.api.test_tasks import submitted
from tests.world import payloads_of, report_of

EACH: dict[str, Any] = {"program": {"command": "make %SERIAL > %OUT", "each": {}}, "inputs": {"piece": {"pieces": 3}}, "split": {"files_per_job": 3}}
HUNGRY = outcome(Code.OUT_OF_MEMORY, "no\x00 memory")
HEAD = {"protocol": 1, "pilot_version": "test"}


async def test_payloads_are_told_over_http_and_shown_one_by_one(api: Api) -> None:
    task_id = await submitted(api, **EACH)
    await api.world.settle()
    (job,) = await api.world.claim()
    shown = (await api.ada.get(f"/jobs/{job.job_id}")).json()
    assert [payload["status"] for payload in shown["payloads"]] == ["waiting"] * 3
    done = [encode(payload) for payload in payloads_of(job)[:1]]
    beat = {"job_id": job.job_id, "claim_id": job.claim_id, "attempt": 1, "phase": "running", "payloads": done}
    beaten = (await api.pilot.post("/pilot/heartbeat", json={**HEAD, "jobs": [beat]})).json()
    assert beaten["jobs"][0]["payloads"] == [0]
    report = encode(report_of(job, HUNGRY))
    answer = (await api.pilot.post("/pilot/report", json={**HEAD, "jobs": [report]})).json()
    assert (answer["jobs"][0]["status"], answer["jobs"][0]["payloads"]) == ("failed", [0])
    shown = (await api.ada.get(f"/jobs/{job.job_id}")).json()
    ends = [(payload["number"], payload["status"], (payload["outcome"] or {}).get("name")) for payload in shown["payloads"]]
    assert ends == [(1, "finished", "success"), (2, "failed", "out_of_memory"), (3, "unreached", "payload_not_reached")]
    assert shown["payloads"][1]["outcome"]["message"] == "no\N{REPLACEMENT CHARACTER} memory"
    files = (await api.ada.get(f"/jobs/{job.job_id}/files")).json()["items"]
    assert [(file["direction"], file["status"]) for file in files] == [
        ("input", "finished"), ("input", "failed"), ("input", "unreached"), ("output", "finished")
    ]  # fmt: skip
    errors = (await api.ada.get(f"/tasks/{task_id}/errors")).json()
    assert [(group["code"], group["n"]) for group in errors["groups"]] == [(Code.OUT_OF_MEMORY.number, 1)], "the payload, and not its job besides"


async def test_what_cannot_be_kept_of_a_payload_is_refused_with_its_field(api: Api) -> None:
    await submitted(api, **EACH)
    await api.world.settle()
    (job,) = await api.world.claim()
    report = encode(report_of(job))
    report["payloads"][1]["outputs"][0]["adler32"] = "xyz"
    answer = await api.pilot.post("/pilot/report", json={**HEAD, "jobs": [report]})
    assert (answer.status_code, answer.json()["field"]) == (422, "jobs[0].payloads[1].outputs[0].adler32")
    report["payloads"][1]["n"] = -1
    answer = await api.pilot.post("/pilot/report", json={**HEAD, "jobs": [report]})
    assert (answer.status_code, answer.json()["field"]) == (422, "jobs[0].payloads[1].n")
