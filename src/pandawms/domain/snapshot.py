"""What the brokerage looks at and what it says: pictures of queues and tasks, requirements, rejections.

Snapshots are taken once a pass and never change, so that a decision can be repeated and explained from them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from pandawms.domain.gpu import ANY_MODEL
from pandawms.domain.machine import Word
from pandawms.domain.queue import PERMITS, QueueStatus
from pandawms.domain.task import TaskStatus


class JobKind(Word):
    """What a job is for."""

    RUN = "run", "processes inputs of its task"
    MERGE = "merge", "merges outputs of run jobs"
    BUILD = "build", "prepares the program once for a queue"


@dataclass(frozen=True)
class Requirement:
    """What one job needs; cores, memory, disk and GPUs are those of each of its nodes, memory and disk for all cores together.

    `architecture` "any" takes every node. `gpu_model` is a pattern ("any" takes every model), `gpu_memory_mb` is of each GPU.
    """

    cores: int = 1
    memory_mb: int = 1000
    disk_mb: int = 1000
    wall_seconds: int = 3600
    architecture: str = "any"
    gpus: int = 0
    kind: JobKind = JobKind.RUN
    nodes: int = 1
    gpu_model: str = ANY_MODEL
    gpu_memory_mb: int = 0


@dataclass(frozen=True)
class QueueSnapshot:
    """A queue at one moment. A slot has `nodes` nodes; cores, memory_mb, disk_mb and `gpus` are what each of them offers.

    `gpu_model` is empty and `gpu_memory_mb` 0 where nobody told them. `community` None means that it serves all. `slots` is the number of slots when
    known, `endpoints` are the ids of the storage endpoints that its nodes can read, `can_write` whether there is one that they can write,
    `last_pilot_at` the last time that a pilot asked for work there.
    """

    queue_id: int
    name: str
    status: QueueStatus
    cores: int
    memory_mb: int
    disk_mb: int
    max_wall_seconds: int
    architecture: str = "any"
    gpus: int = 0
    community: str | None = None
    slots: int | None = None
    running_jobs: int = 0
    waiting_jobs: int = 0
    endpoints: frozenset[int] = field(default_factory=frozenset)
    can_write: bool = True
    last_pilot_at: datetime | None = None
    nodes: int = 1
    gpu_model: str = ""
    gpu_memory_mb: int = 0

    @property
    def is_brokered(self) -> bool:
        """Whether new jobs may be sent there, as its status says."""
        return PERMITS[self.status].brokered


@dataclass(frozen=True)
class Avoided:
    """A queue that a task avoids for a while, and why."""

    queue: str
    until: datetime
    reason: str


@dataclass(frozen=True)
class TaskSnapshot:
    """A task at one moment, as the brokerage sees it.

    `open_units` are the inputs that no job has taken yet; `allowed_queues` is the task's own list (empty: all), `excluded_queues` what it leaves out;
    `endpoints` are the storage endpoints that hold its inputs (empty: it reads no data); `avoided_queues` are left out for a while after failures there.
    """

    task_id: int
    name: str
    status: TaskStatus
    community: str
    owner: str
    priority: int
    requirement: Requirement
    open_units: int
    units_per_job: int = 1
    allowed_queues: frozenset[str] = field(default_factory=frozenset)
    excluded_queues: frozenset[str] = field(default_factory=frozenset)
    endpoints: frozenset[int] = field(default_factory=frozenset)
    is_test: bool = False
    avoided_queues: tuple[Avoided, ...] = ()


@dataclass(frozen=True)
class Rejection:
    """Why a queue was not taken: the rule, a sentence, the queue's limit and the task's value where the rule compares two."""

    queue: str
    rule: str
    reason: str
    limit: int | float | str | None = None
    value: int | float | str | None = None
