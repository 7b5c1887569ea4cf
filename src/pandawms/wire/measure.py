"""What was measured of a task's jobs, and what went wrong with them."""

from __future__ import annotations

from datetime import datetime

import msgspec


class MeasuredQuantity(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was measured: its value, how it was taken from so many jobs, and jobs that sit at it.

    `before` is what the task asked for; `is_applied` says whether later jobs are given the value; `text` says it in words.
    """

    name: str
    value: float
    taken: str
    n_jobs: int
    job_ids: tuple[int, ...]
    is_applied: bool
    text: str
    before: float | None = None


class ScoutFinding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a person should know. `code` is stable for programs; an abnormal one makes the task exhausted."""

    code: str
    text: str
    is_abnormal: bool
    limit: float | None = None
    value: float | None = None
    job_ids: tuple[int, ...] = ()


class TaskMeasurement(msgspec.Struct, frozen=True, kw_only=True):
    """A measurement: of the scouts (verdict scouted, exhausted or broken), or of more jobs later on (measured)."""

    round: int
    number: int
    measured_at: datetime
    n_jobs: int
    n_finished: int
    n_failed: int
    verdict: str
    quantities: tuple[MeasuredQuantity, ...]
    findings: tuple[ScoutFinding, ...]


class TaskScouts(msgspec.Struct, frozen=True, kw_only=True):
    """What a task learned, by names of resources, and the measurements that it learned from, oldest first."""

    learned: dict[str, float | int | bool]
    measurements: tuple[TaskMeasurement, ...]


class TaskRound(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict of a round of a task; each retry that re-opens it begins another, and the earlier verdicts stay."""

    round: int
    status: str
    ended_at: datetime
    text: str
    n_errors: int = 0


class ErrorGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of failure: jobs with one code whose messages differ only in ids, numbers, hosts, paths, hashes and times.

    `pattern` is what the messages have in common, `message` the newest of them; `queues` counts jobs by queue; `job_ids` are the newest jobs.
    """

    fingerprint: str
    domain: str
    code: int
    name: str
    pattern: str
    message: str
    advice: str
    n: int
    queues: dict[str, int]
    first_at: datetime
    last_at: datetime
    job_ids: tuple[int, ...]


class TaskErrors(msgspec.Struct, frozen=True, kw_only=True):
    """All failed jobs of a task by kind, most frequent first; `n_others` are in none of the groups told."""

    task_id: int
    n: int
    n_others: int
    groups: tuple[ErrorGroup, ...]
