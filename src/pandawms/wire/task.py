"""What the API says about a task; the document itself is in `document`.

Answers are read by clients of other releases: a word in them is plain text and a document a mapping, since a later release may add words and fields.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from pandawms.wire.measure import TaskRound, TaskScouts
from pandawms.wire.why import QueueRejection


class SubmitAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A submitted task; `created` is false when the same submission (by its idempotency key) had been taken before."""

    task_id: int
    name: str
    status: str
    created: bool


class InputCounters(msgspec.Struct, frozen=True, kw_only=True):
    """Input units (files, or chunks of events) of a task by where they stand; `total` is their sum so far."""

    total: int = 0
    ready: int = 0
    running: int = 0
    finished: int = 0
    failed: int = 0


class TaskOutput(msgspec.Struct, frozen=True, kw_only=True):
    """One output stream of a task and the dataset that it fills; a transient one is merged and then removed."""

    stream: str
    dataset_id: int
    dataset: str
    status: str
    n_files: int
    size_bytes: int
    n_events: int | None = None
    is_transient: bool = False


class TaskSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A task in a list; `jobs` counts its present jobs by status."""

    task_id: int
    name: str
    owner: str
    community: str
    status: str
    priority: int
    inputs: InputCounters
    jobs: dict[str, int]
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str | None = None


class TaskDetail(TaskSummary, frozen=True, kw_only=True):
    """Everything about one task. `document` has all fields of a task document (`wire.document` reads it), `unit` is files, events or pieces.

    `attempts` counts the jobs made so far, `coverage` (0 to 1) is the part of the inputs that is finished, and the eta is a
    range of seconds until the end, absent when nothing can be said. Event numbers are absent where events are not counted.
    """

    attempts: int
    coverage: float
    wall_seconds: float
    cpu_seconds: float
    unit: str
    description: str = ""
    retries: int = 0
    events_total: int | None = None
    events_finished: int | None = None
    eta_low_seconds: float | None = None
    eta_high_seconds: float | None = None
    outputs: tuple[TaskOutput, ...] = ()
    document: dict[str, Any] | None = None
    scouts: TaskScouts | None = None
    rounds: tuple[TaskRound, ...] = ()


class UnitReason(msgspec.Struct, frozen=True, kw_only=True):
    """Why no job can be made of an input unit; `value` passes `limit` where there is one."""

    code: str
    text: str
    limit: float | None = None
    value: float | None = None


class TaskInputUnit(msgspec.Struct, frozen=True, kw_only=True):
    """One input unit of a task: a file, or (then without a name) a chunk of events or a numbered piece, which has an id from its first job on."""

    unit_id: int | None = None
    number: int
    stream: str
    status: str
    attempt: int
    max_attempts: int
    failed_attempts: int
    name: str | None = None
    first_event: int | None = None
    n_events: int | None = None
    size_bytes: int | None = None
    job_id: int | None = None
    reason: UnitReason | None = None


class PlanInput(msgspec.Struct, frozen=True, kw_only=True):
    """What a dry run found for one input; `kind` is events, pieces, dataset, task or files; `is_open` means that its producer may still add files."""

    stream: str
    kind: str
    description: str
    n_files: int | None = None
    n_events: int | None = None
    size_bytes: int | None = None
    is_open: bool = False


class PlanJob(msgspec.Struct, frozen=True, kw_only=True):
    """One of the first jobs of a dry run, its command with all placeholders replaced."""

    serial: int
    command: str
    first_event: int | None = None
    n_events: int | None = None
    files: tuple[str, ...] = ()


class CandidateQueue(msgspec.Struct, frozen=True, kw_only=True):
    """A queue that could take the task; a higher weight gets more of it."""

    queue: str
    site: str
    weight: float
    slots: int | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of a dry run: nothing was stored. `n_merge_jobs` and `n_jobs` are for the inputs known now."""

    name: str
    n_jobs: int
    split: str
    inputs: tuple[PlanInput, ...]
    first_jobs: tuple[PlanJob, ...]
    output_datasets: tuple[str, ...]
    queues: tuple[CandidateQueue, ...]
    rejections: tuple[QueueRejection, ...] = ()
    n_merge_jobs: int = 0
    warnings: tuple[str, ...] = ()


class CommandAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A command was taken and will be applied; `status` is that of its subject at this moment."""

    command_id: int
    subject: str
    status: str
