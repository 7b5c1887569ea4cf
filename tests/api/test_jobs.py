"""Jobs over HTTP: lists, details, logs, explanations, kills."""

import io
import tarfile

from pandawms.domain.codes import Code
from pandawms.domain.outcome import outcome
from tests.api.conftest import Api
from tests.api.test_tasks import submitted
from tests.world import report_of


def archive(**members: bytes) -> bytes:
    """A log as pilots send it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(f"./{name.replace('_', '.')}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


async def test_a_job_is_shown_from_its_making_to_its_end(api: Api) -> None:
    task_id = await submitted(api)
    await api.world.settle()
    (spec,) = await api.world.claim()
    job = (await api.bob.get(f"/jobs/{spec.job_id}")).json()
    assert (job["status"], job["queue"], job["task_name"], job["first_event"], job["n_events"]) == ("sent", "local", "t", 1, 2)
    assert job["lease_until_at"] is not None
    assert job["outcome"] is None
    await api.world.report(spec)
    job = (await api.bob.get(f"/jobs/{spec.job_id}")).json()
    assert (job["status"], job["wall_seconds"], job["outcome"]["code"], job["lease_until_at"]) == ("finished", 1.5, 0, None)
    files = (await api.bob.get(f"/jobs/{spec.job_id}/files")).json()["items"]
    assert [(file["direction"], file["name"]) for file in files] == [("input", "events 1 to 2"), ("output", "t.out.000001.1.txt")]
    assert files[1]["local_name"] == "out.txt"
    events = (await api.bob.get(f"/jobs/{spec.job_id}/events")).json()["items"]
    assert [event["to_status"] for event in events] == ["defined", "activated", "sent", "finished"]
    listed = (await api.bob.get(f"/jobs?task_id={task_id}&status=finished,sent")).json()["items"]
    assert [each["job_id"] for each in listed] == [spec.job_id]


async def test_lists_are_paged_by_a_cursor_without_gap_or_repeat(api: Api) -> None:
    task_id = await submitted(api, inputs={"events": {"count": 50}})
    await api.world.settle()
    seen, cursor = [], ""
    while True:
        page = (await api.ada.get(f"/jobs?task_id={task_id}&limit=7{cursor}")).json()
        seen += [item["job_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(seen) == 25
    assert seen == sorted(set(seen), reverse=True)
    units = (await api.ada.get(f"/tasks/{task_id}/files?limit=20")).json()
    rest = (await api.ada.get(f"/tasks/{task_id}/files?limit=20&cursor={units['next_cursor']}")).json()
    assert (len(units["items"]), len(rest["items"]), rest["next_cursor"]) == (20, 5, None)


async def test_the_log_of_a_job_is_read_whole_by_member_and_by_its_last_lines(api: Api) -> None:
    await submitted(api)
    await api.world.settle()
    (spec,) = await api.world.claim()
    target = f"/jobs/{spec.job_id}/log"
    assert (await api.ada.get(target)).json()["code"] == "log.missing"
    content = archive(payload_stdout=b"one\ntwo\n\xff\x00three\n", pilot_log=b"x")
    await api.pilot.put(f"/pilot/jobs/{spec.job_id}/log?claim_id={spec.claim_id}", content=content)
    whole = await api.bob.get(target)
    assert (whole.content, whole.headers["content-type"]) == (content, "application/gzip")
    assert (await api.bob.get(f"{target}?list=1")).json() == ["payload.stdout", "pilot.log"]
    assert (await api.bob.get(f"{target}?member=payload.stdout&tail=2")).text == "two\n\ufffd\x00three\n"
    assert (await api.bob.get(f"{target}?member=payload.stdout")).text.startswith("one\n")
    missing = (await api.bob.get(f"{target}?member=payload.stdot")).json()
    assert (missing["code"], missing["allowed"], missing["hint"]) == ("log.member", "payload.stdout, pilot.log", "did you mean payload.stdout?")
    assert (await api.eve.get(target)).status_code == 404


async def test_a_damaged_log_is_no_fault_of_ours(api: Api) -> None:
    await submitted(api)
    await api.world.settle()
    (spec,) = await api.world.claim()
    await api.pilot.put(f"/pilot/jobs/{spec.job_id}/log?claim_id={spec.claim_id}", content=b"no archive")
    assert (await api.ada.get(f"/jobs/{spec.job_id}/log?list=1")).json()["code"] == "log.damaged"


async def test_a_log_that_is_too_large_is_refused(api: Api) -> None:
    await submitted(api)
    await api.world.settle()
    (spec,) = await api.world.claim()
    answer = await api.pilot.put(f"/pilot/jobs/{spec.job_id}/log?claim_id={spec.claim_id}", content=b"x" * (11 << 20))
    assert (answer.status_code, answer.json()["code"]) == (413, "content.size")


async def test_why_explains_a_job_that_failed_and_its_task(api: Api) -> None:
    task_id = await submitted(api, retry={"max_attempts": 1})
    await api.world.settle()
    (spec,) = await api.world.claim()
    waiting = (await api.ada.get(f"/jobs/{spec.job_id + 1}/why")).json()
    assert [cause["code"] for cause in waiting["causes"]] == ["engine.down", "queue.starting"]
    await api.world.reporter.report(api.world.queue_id, [report_of(spec, outcome(Code.PAYLOAD_FAILED, "it said no", exit_code=3))])
    await api.world.settle()
    why = (await api.ada.get(f"/jobs/{spec.job_id}/why")).json()
    assert (why["status"], why["causes"][0]["code"], why["causes"][0]["value"]) == ("failed", "payload.payload_failed", 3)
    assert "it said no" in why["headline"]
    task = (await api.ada.get(f"/tasks/{task_id}/why")).json()
    assert {"jobs.running", "units.failed", "payload.payload_failed"} & {cause["code"] for cause in task["causes"]}
    await api.world.run_all()
    ended = (await api.ada.get(f"/tasks/{task_id}/why")).json()
    assert ended["headline"] == "Task t has ended as finished: 4 of 5 inputs were processed."
    assert "When the cause is gone: `panda retry t`." in ended["advice"]


async def test_a_job_is_killed_where_it_is(api: Api) -> None:
    await submitted(api)
    await api.world.settle()
    (spec,) = await api.world.claim()
    assert (await api.bob.post(f"/jobs/{spec.job_id}/kill")).status_code == 403
    for job_id in (spec.job_id, spec.job_id + 1):
        assert (await api.ada.post(f"/jobs/{job_id}/kill", json={"reason": "enough"})).status_code == 202
    await api.world.settle()
    assert (await api.ada.get(f"/jobs/{spec.job_id + 1}")).json()["status"] == "cancelled"
    beat = {"job_id": spec.job_id, "claim_id": spec.claim_id, "attempt": 1, "phase": "running"}
    told = (await api.pilot.post("/pilot/heartbeat", json={"protocol": 1, "pilot_version": "t", "jobs": [beat]})).json()
    assert (told["jobs"][0]["verdict"], told["jobs"][0]["reason"]) == ("kill", "enough")
    assert (await api.ada.post(f"/jobs/{spec.job_id + 1}/kill")).json()["code"] == "command_not_accepted"
