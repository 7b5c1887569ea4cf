"""The rows of the lists for people."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task without its document."""

    task_id: int
    name: str
    owner: str
    community: str
    status: str
    priority: int
    reason: dict[str, Any] | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job, hot or ended."""

    job_id: int
    task_id: int
    task_name: str
    kind: str
    status: str
    attempt: int
    created_at: datetime
    queue: str | None
    priority: int | None
    worker_id: int | None
    node: str | None
    previous_job_id: int | None
    started_at: datetime | None
    ended_at: datetime | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class UnitRow:
    """An input unit of a task; `reason` says why no job can be made of it (code, text, limit, value)."""

    unit_id: int | None
    number: int
    stream: str
    status: str
    attempt: int
    max_attempts: int
    failed_attempts: int
    name: str | None
    first_event: int | None
    n_events: int | None
    size_bytes: int | None
    job_id: int | None
    reason: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """A dataset of the catalogue."""

    dataset_id: int
    scope: str
    name: str
    owner: str
    community: str
    is_open: bool
    n_files: int
    n_bytes: int
    n_events: int
    created_at: datetime
    closed_at: datetime | None
    producer_task_id: int | None


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file of the catalogue; `is_there` when some endpoint has it."""

    file_id: int
    dataset_id: int
    scope: str
    name: str
    guid: UUID
    size_bytes: int
    adler32: bytes
    events: int | None
    created_at: datetime
    is_there: bool


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker with its queue."""

    worker_id: int
    queue: str
    status: str
    provisioner: str
    native_id: str | None
    node: str | None
    diagnosis: str | None
    created_at: datetime
    seen_at: datetime | None
    ended_at: datetime | None
