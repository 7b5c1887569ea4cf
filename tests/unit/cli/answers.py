"""Answers of a server that several tests of the commands give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.unit.client.stand_in import Said

Panda = Callable[..., tuple[int, str, str]]

TASK: dict[str, Any] = {
    "task_id": 10000001,
    "name": "z-evgen",
    "owner": "me",
    "community": "local",
    "status": "running",
    "priority": 1000,
    "inputs": {"total": 12, "running": 2, "finished": 4},
    "jobs": {"running": 2},
    "created_at": "2030-01-01T00:00:00Z",
    "attempts": 7,
    "retries": 1,
    "coverage": 0.33,
    "wall_seconds": 70.5,
    "cpu_seconds": 60.0,
    "unit": "events",
    "events_total": 6000,
    "events_finished": 2000,
    "eta_low_seconds": 30,
    "eta_high_seconds": 95,
}
JOB = {
    "job_id": 5,
    "task_id": 10000001,
    "kind": "run",
    "status": "failed",
    "attempt": 1,
    "created_at": "2030-01-01T00:00:00Z",
}
STATE = {"command_id": 1, "verb": "kill", "asked_by": "me", "asked_at": "2030-01-01T00:00:00Z", "arguments": {}, "task_id": 7}
PROBLEM = {
    "type": "/problems/not_found",
    "title": "x",
    "status": 404,
    "detail": "no such task",
    "code": "no_task",
    "hint": "ls",
}


def page(*items: Any) -> Said:
    """A list of one page."""
    return Said(body={"items": list(items), "next_cursor": None})
