"""Tasks over HTTP."""

from typing import Any

from tests.api.conftest import Api
from tests.world import task


async def submitted(api: Api, **document: Any) -> int:
    """Submits a task of ada's and returns its id."""
    answer = await api.ada.post("/tasks", json=task(**document))
    assert answer.status_code == 201, answer.text
    return int(answer.json()["task_id"])


async def test_a_submitted_task_can_be_found_by_id_and_by_name(api: Api) -> None:
    task_id = await submitted(api, name="first")
    for reference in (str(task_id), "first", "ada:first"):
        detail = (await api.ada.get(f"/tasks/{reference}")).json()
        assert (detail["task_id"], detail["status"], detail["document"]["name"]) == (task_id, "registered", "first")
    assert (await api.bob.get("/tasks/ada:first")).status_code == 200


async def test_the_same_submission_twice_makes_one_task(api: Api) -> None:
    headers = {"Idempotency-Key": "one"}
    first = await api.ada.post("/tasks", json=task(), headers=headers)
    again = await api.ada.post("/tasks", json=task(), headers=headers)
    assert (first.status_code, first.json()["created"]) == (201, True)
    assert (again.status_code, again.json()["created"], again.json()["task_id"]) == (200, False, first.json()["task_id"])


async def test_a_key_used_for_another_submission_is_a_conflict(api: Api) -> None:
    headers = {"Idempotency-Key": "one"}
    await api.ada.post("/tasks", json=task(), headers=headers)
    other = await api.ada.post("/tasks", json=task(name="other"), headers=headers)
    assert (other.status_code, other.json()["code"], other.json()["field"]) == (409, "idempotency_key_reused", "Idempotency-Key")
    assert (await api.ada.get("/tasks/other")).status_code == 404


async def test_a_refused_submission_leaves_nothing_and_its_key_free(api: Api) -> None:
    headers = {"Idempotency-Key": "one"}
    wrong = await api.ada.post("/tasks", json=task(resources={"memory_mb": 999_999}), headers=headers)
    assert wrong.status_code == 422
    assert (await api.ada.get("/tasks")).json()["items"] == []
    assert (await api.ada.post("/tasks", json=task(), headers=headers)).status_code == 201


async def test_a_task_runs_and_its_counters_follow(api: Api) -> None:
    task_id = await submitted(api)
    await api.world.settle()
    (job,) = await api.world.claim()
    running = (await api.ada.get(f"/tasks/{task_id}")).json()
    assert running["inputs"] == {"total": 5, "ready": 0, "running": 5, "finished": 0, "failed": 0}
    assert running["jobs"] == {"activated": 4, "sent": 1}
    await api.world.report(job)
    await api.world.run_all()
    done = (await api.ada.get(f"/tasks/{task_id}")).json()
    assert (done["status"], done["coverage"], done["attempts"], done["unit"]) == ("done", 1.0, 5, "events")
    assert (done["events_total"], done["events_finished"], done["wall_seconds"]) == (10, 10, 7.5)
    assert done["outputs"][0]["dataset"] == "user.ada:t.out"
    assert done["outputs"][0]["n_files"] == 5


async def test_a_task_says_in_what_it_counts(api: Api) -> None:
    await submitted(api, name="by-events")
    await submitted(api, name="by-pieces", inputs={"in": {"pieces": 3}}, split={}, program={"command": "make %SERIAL > %OUT"})
    units = [(await api.ada.get(f"/tasks/{name}")).json()["unit"] for name in ("by-events", "by-pieces")]
    assert units == ["events", "pieces"]


async def test_a_plan_stores_nothing(api: Api) -> None:
    answer = await api.ada.post("/tasks/plan", json=task())
    assert answer.status_code == 200, answer.text
    assert answer.json()["n_jobs"] == 5
    assert (await api.ada.get("/tasks")).json() == {"items": [], "next_cursor": None}
