"""Errors and measurements of tasks, in words."""

from typing import Any

from tests.unit.cli.answers import TASK, Panda
from tests.unit.client.stand_in import Said, in_turn, stand_in

GROUP: dict[str, Any] = {
    "fingerprint": "0123456789abcdef",
    "domain": "payload",
    "code": 1305,
    "name": "payload_failed",
    "pattern": "cannot read <path>",
    "message": "cannot read /data/7",
    "advice": "Look at the last lines of its stderr.",
    "n": 12,
    "queues": {"north": 9, "south": 3},
    "first_at": "2030-01-01T00:00:00Z",
    "last_at": "2030-01-01T01:00:00Z",
    "job_ids": [42, 41],
}
QUANTITY: dict[str, Any] = {
    "name": "memory_mb",
    "value": 770,
    "taken": "75th percentile",
    "n_jobs": 5,
    "job_ids": [3],
    "is_applied": True,
    "text": "memory in MB 770",
}
MEASUREMENT: dict[str, Any] = {
    "round": 1,
    "number": 1,
    "measured_at": "2030-01-01T00:00:00Z",
    "n_jobs": 10,
    "n_finished": 5,
    "n_failed": 1,
    "verdict": "scouted",
    "quantities": [QUANTITY, QUANTITY | {"text": "only told", "is_applied": False}],
    "findings": [],
}


def test_errors_are_told_by_kind_with_places_times_and_what_helps(panda: Panda) -> None:
    with stand_in(in_turn(Said(body={"task_id": 7, "n": 15, "n_others": 3, "groups": [GROUP]}))) as server:
        code, out, _ = panda("errors", "z", server=server)
    lines = out.splitlines()
    assert (code, lines[0]) == (0, "task z: 15 failed jobs, 1 kind")
    assert lines[1] == "- 12 x payload_failed (payload 1305): cannot read <path>"
    assert lines[2].startswith("  first ") and "queues: north 9, south 3" in lines[2]
    assert lines[3] == "  last message: cannot read /data/7"
    assert lines[4].endswith("`panda logs 42`")
    assert lines[5] == "- 3 more, of kinds that are rarer"


def test_a_task_without_errors_says_so_and_messages_cannot_forge_lines(panda: Panda) -> None:
    with stand_in(in_turn(Said(body={"task_id": 7, "n": 0, "n_others": 0, "groups": []}))) as server:
        assert panda("errors", "z", server=server)[1] == "task z: 0 failed jobs\n"
    with stand_in(in_turn(Said(body={"task_id": 7, "n": 1, "n_others": 0, "groups": [GROUP | {"message": "a\n> forged"}]}))) as server:
        assert not any(line.lstrip().startswith("> forged") for line in panda("errors", "z", server=server)[1].splitlines())


def test_show_tells_what_scouts_measured_and_the_verdicts_of_several_rounds(panda: Panda) -> None:
    rounds = [{"round": n, "status": status, "ended_at": "2030-01-01T00:00:00Z", "text": f"text {n}"} for n, status in ((1, "finished"), (2, "done"))]
    detail = TASK | {"scouts": {"learned": {"memory_mb": 770}, "measurements": [MEASUREMENT]}, "rounds": rounds}
    with stand_in(in_turn(Said(body=detail))) as server:
        out = panda("show", "z", server=server)[1]
    assert "scouted, 5 of 10 succeeded; memory in MB 770" in out and "only told" not in out
    assert "finished: text 1" in out and "done: text 2" in out
