"""Tasks on the wire: the document a user writes, and what the API says about a task.

The order of `inputs` and `outputs` in a document matters (%IN is the first input, %OUT the first output), so whoever keeps
a document keeps it as text or JSON, never in a form that sorts its keys.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pandawms.wire.names import Command, DatasetName, FileName, Name, Sha256, StreamName, VariableName
from pandawms.wire.why import QueueRejection

MAX_JOBS_PER_TASK = 1_000_000

InputKind = Literal["events", "dataset", "task", "files"]


class ProgramSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What runs. `files` are beside the task file and are packed by the client, which leaves `sandbox` in their place."""

    command: Command
    files: Annotated[tuple[str, ...], Meta(max_length=1000)] = ()
    sandbox: Sha256 | None = None


class EnvironmentSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The Python environment of the payload, built and kept by the pilot, and the variables that it sees."""

    python: Annotated[str, Meta(min_length=1, max_length=100, description="Version specifier as in >=3.11.")] | None = None
    packages: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=300)], ...], Meta(max_length=500)] = ()
    variables: dict[VariableName, Annotated[str, Meta(max_length=10_000)]] = {}


class InputSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One input of exactly one kind: numbered events without data, a dataset, another task's output, or local files.

    Local `files` (patterns beside the task file) are uploaded by the client, which leaves `dataset` in their place.
    """

    count: Annotated[int, Meta(ge=1, le=1_000_000_000_000, description="Events to make.")] | None = None
    first: Annotated[int, Meta(ge=0, le=1_000_000_000_000, description="Number of the first event; 1 unless given.")] | None = None
    dataset: DatasetName | None = None
    task: Name | None = None
    output: StreamName | None = None
    files: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=4096)], ...], Meta(min_length=1, max_length=100_000)] | None = None

    @property
    def kinds(self) -> tuple[InputKind, ...]:
        """All kinds of which a field is given; a right input has exactly one."""
        given: dict[InputKind, bool] = {
            "events": self.count is not None or self.first is not None,
            "dataset": self.dataset is not None,
            "task": self.task is not None or self.output is not None,
            "files": self.files is not None,
        }
        return tuple(kind for kind, is_given in given.items() if is_given)

    @property
    def first_event(self) -> int:
        """Number of the first event (of an events input)."""
        return 1 if self.first is None else self.first


class SplitSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an input is cut into jobs: by events for an events input, by files (1 unless given) for the others."""

    events_per_job: Annotated[int, Meta(ge=1, le=1_000_000_000_000)] | None = None
    files_per_job: Annotated[int, Meta(ge=1, le=10_000)] | None = None


class MergeSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Merge jobs over one output stream, whose own files are then transient. All files in one job unless `files_per_job`."""

    inputs: StreamName
    command: Command
    outputs: Annotated[dict[StreamName, FileName], Meta(min_length=1, max_length=100)]
    files_per_job: Annotated[int, Meta(ge=2, le=10_000)] | None = None


class ResourceSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one job needs: memory and disk for all its cores together, wall time as the limit of its run."""

    cores: Annotated[int, Meta(ge=1, le=1024)] = 1
    memory_mb: Annotated[int, Meta(ge=1, le=10_000_000)] = 1000
    disk_mb: Annotated[int, Meta(ge=1, le=100_000_000)] = 1000
    wall_seconds: Annotated[int, Meta(ge=1, le=2_592_000, description="At most 30 days.")] = 3600
    architecture: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$(?!\n)", max_length=50)] = "any"
    gpus: Annotated[int, Meta(ge=0, le=64)] = 0


class RetrySpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often one input unit may be tried before it counts as failed."""

    max_attempts: Annotated[int, Meta(ge=1, le=50)] = 3


class TaskDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A task as a user writes it: process these inputs with this program into these outputs."""

    name: Name
    program: ProgramSpec
    inputs: Annotated[dict[StreamName, InputSpec], Meta(min_length=1, max_length=20)]
    outputs: Annotated[dict[StreamName, FileName], Meta(max_length=100)] = {}
    description: Annotated[str, Meta(max_length=10_000)] = ""
    environment: EnvironmentSpec = EnvironmentSpec()
    split: SplitSpec = SplitSpec()
    merge: MergeSpec | None = None
    resources: ResourceSpec = ResourceSpec()
    retry: RetrySpec = RetrySpec()
    priority: Annotated[int, Meta(ge=0, le=10_000, description="Higher runs earlier, within a share.")] = 1000
    community: Name | None = None
    queues: Annotated[tuple[Name, ...], Meta(max_length=1000, description="Only these queues; any queue when empty.")] = ()


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
    """Everything about one task.

    `attempts` counts the jobs made so far, `coverage` (0 to 1) is the part of the inputs that is finished, and the eta is a
    range of seconds until the end, absent when nothing can be said. Event numbers are absent where events are not counted.
    """

    attempts: int
    coverage: float
    wall_seconds: float
    cpu_seconds: float
    unit: Literal["files", "events"]
    description: str = ""
    retries: int = 0
    events_total: int | None = None
    events_finished: int | None = None
    eta_low_seconds: float | None = None
    eta_high_seconds: float | None = None
    outputs: tuple[TaskOutput, ...] = ()
    document: TaskDocument | None = None


class TaskInputUnit(msgspec.Struct, frozen=True, kw_only=True):
    """One input unit of a task: a file, or a chunk of events (then without a name)."""

    unit_id: int
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


class PlanInput(msgspec.Struct, frozen=True, kw_only=True):
    """What a dry run found for one input; `is_open` means that its producer may still add files."""

    stream: str
    kind: InputKind
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


class TaskCommand(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of kill and retry: why, for those who read the task's history later."""

    reason: Annotated[str, Meta(max_length=1000)] = ""


class CommandAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A command was taken and will be applied; `status` is that of its subject at this moment."""

    command_id: int
    subject: str
    status: str
