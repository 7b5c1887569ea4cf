"""What went wrong with the jobs of a task, what was measured of it and how its rounds ended, over HTTP."""

from pandawms.domain.codes import Code
from pandawms.domain.outcome import SUCCESS, outcome
from tests.api.conftest import Api
from tests.api.test_tasks import submitted
from tests.engine.play import HOPELESS, ask, run_with


async def test_failed_jobs_are_told_by_kind_with_what_would_help(api: Api) -> None:
    task_id = await submitted(api, retry={"max_attempts": 1})
    broke = {("run", n): outcome(Code.PAYLOAD_FAILED, f"cannot read /data/{n}.root", exit_code=1) for n in (1, 2)}
    await run_with(api.world, broke | {("run", 3): HOPELESS})
    found = (await api.ada.get(f"/tasks/{task_id}/errors")).json()
    assert (found["task_id"], found["n"], found["n_others"]) == (task_id, 3, 0)
    first, second = found["groups"]
    assert (first["pattern"], first["n"], first["name"], first["queues"]) == ("cannot read <path>", 2, "payload_failed", {"local": 2})
    assert first["advice"] == Code.PAYLOAD_FAILED.advice and len(first["job_ids"]) == 2 and len(first["fingerprint"]) == 16
    assert second["n"] == 1
    why = (await api.ada.get(f"/tasks/{task_id}/why")).json()
    assert "2 jobs failed with payload_failed" in why["causes"][1]["text"]


async def test_a_task_without_failures_has_no_groups_and_an_unknown_one_is_not_found(api: Api) -> None:
    await submitted(api)
    assert (await api.ada.get("/tasks/t/errors")).json()["groups"] == []
    assert (await api.ada.get("/tasks/nothing/errors")).status_code == 404


async def test_what_scouts_showed_and_the_verdicts_of_all_rounds_are_told(api: Api) -> None:
    document = {"inputs": {"events": {"count": 200}}, "split": {"events_per_job": 1}, "retry": {"max_attempts": 1}, "scouts": {"jobs": 4, "from_jobs": 100}}
    task_id = await submitted(api, **document)
    await api.world.settle()
    causes = (await api.ada.get(f"/tasks/{task_id}/why")).json()["causes"]
    assert any(cause["code"] == "scouts.running" and "measure what the others need" in cause["text"] for cause in causes)
    for n, job in enumerate(await api.world.claim(4)):
        await (api.world.report(job, SUCCESS, wall_seconds=900.0, max_rss_mb=700.0) if n else api.world.report(job, HOPELESS))
    await api.world.settle()
    detail = (await api.ada.get(f"/tasks/{task_id}")).json()
    (measured,) = detail["scouts"]["measurements"]
    assert (measured["verdict"], measured["n_jobs"], measured["n_finished"]) == ("scouted", 4, 3)
    assert detail["scouts"]["learned"]["memory_mb"] == 770
    memory = next(quantity for quantity in measured["quantities"] if quantity["name"] == "memory_mb")
    assert memory["text"] == "memory in MB 770 instead of 1000"
    await api.world.run_all()
    await ask(api.world, "retry", task_id=task_id)
    await api.world.run_all()
    rounds = (await api.ada.get(f"/tasks/{task_id}")).json()["rounds"]
    assert [(each["status"], each["n_errors"]) for each in rounds] == [("finished", 1), ("done", 1)]
    assert rounds[0]["text"] == "199 of its 200 inputs were processed"
