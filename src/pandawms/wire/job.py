"""Jobs on the wire: what the API says about a job, its files and its end."""

from __future__ import annotations

from datetime import datetime

import msgspec

from pandawms.wire.retry_rule import RetryAct


class JobOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a job ended: domain "none" with code 0 is success; codes are those of the table of outcomes."""

    domain: str
    code: int
    message: str
    name: str = ""
    exit_code: int | None = None
    signal: int | None = None
    retryable: bool = False
    advice: str | None = None


class JobSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A job in a list. A retry is a new job, whose `previous_job_id` is the failed one."""

    job_id: int
    task_id: int
    kind: str
    status: str
    attempt: int
    created_at: datetime
    task_name: str = ""
    queue: str | None = None
    priority: int | None = None
    worker_id: int | None = None
    node: str | None = None
    previous_job_id: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str | None = None


class StepUse(msgspec.Struct, frozen=True, kw_only=True):
    """What one step of a job used; there is none for steps that did not begin."""

    name: str
    exit_code: int | None = None
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    max_rss_mb: float = 0.0


class JobPayload(msgspec.Struct, frozen=True, kw_only=True):
    """One payload of a job: its place, its input unit, and what became of it: `waiting` while nobody has told, then finished, failed or unreached.

    One that is finished is done whatever becomes of its job; that of one that was not reached goes into another job and has lost nothing.
    """

    n: int
    unit_id: int
    number: int
    status: str
    attempt: int | None = None
    name: str | None = None
    first_event: int | None = None
    n_events: int | None = None
    outcome: JobOutcome | None = None
    wall_seconds: float | None = None
    cpu_seconds: float | None = None
    max_rss_mb: int | None = None
    ended_at: datetime | None = None


class JobCopy(msgspec.Struct, frozen=True, kw_only=True):
    """One of several copies of a job. One of them `leads`: it answers for the inputs."""

    job_id: int
    number: int
    queue: str | None = None
    status: str | None = None
    leads: bool = False


class JobCopies(msgspec.Struct, frozen=True, kw_only=True):
    """The copies of a job, itself among them; `state` is open while none of them counts, won when one does, over when its end (or the last one's) has decided.

    `winner_job_id` is the one that counts, whatever became of it then; there is none while it is open, and when all have failed before one counted.
    """

    mode: str
    state: str
    winner_job_id: int | None = None
    copies: tuple[JobCopy, ...] = ()


class JobDetail(JobSummary, frozen=True, kw_only=True):
    """Everything about one job; use figures are absent until the pilot has told them. `retry_acts` is what rules did about its failure, or would have.

    `library` is the file that the task's build has made for its queue, beside the inputs.
    """

    command: str = ""
    serial: int | None = None
    first_event: int | None = None
    n_events: int | None = None
    seed: int | None = None
    nodes: int | None = None
    cores: int | None = None
    gpus: int | None = None
    gpu_model: str | None = None
    gpu_memory_mb: int | None = None
    memory_mb: int | None = None
    disk_mb: int | None = None
    wall_limit_seconds: int | None = None
    wall_seconds: float | None = None
    cpu_seconds: float | None = None
    max_rss_mb: int | None = None
    library: str | None = None
    steps: tuple[StepUse, ...] = ()
    payloads: tuple[JobPayload, ...] = ()
    cloning: JobCopies | None = None
    lease_until_at: datetime | None = None
    heartbeat_at: datetime | None = None
    has_log: bool = False
    outcome: JobOutcome | None = None
    retry_acts: tuple[RetryAct, ...] = ()


class JobFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a job; `direction` is input or output."""

    direction: str
    stream: str
    name: str
    status: str
    local_name: str | None = None
    file_id: int | None = None
    size_bytes: int | None = None
    adler32: str | None = None
    n_events: int | None = None
