"""The facts from which a status is explained, gathered at one moment."""

from dataclasses import dataclass, field
from datetime import datetime

from pandawms.domain.outcome import Outcome
from pandawms.store.brokerage import Brokerage
from pandawms.store.clones import Copy
from pandawms.store.measures import Scouts
from pandawms.store.places import QueueRow
from pandawms.store.reasons import Asked, FailedUnits, Failure, HotJobs, Parent, Predecessor
from pandawms.store.retry_rules import Done, DoneCount


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """A task: its units (listed, used, finished, failed), its jobs, the broker's last look, and what it depends on.

    `reason_code` is the code of the kept reason, or the line of the table of verdicts that ended the task; `scouts` is there while they run; `done` is what
    retry rules did about its failures.
    """

    task_id: int
    name: str
    status: str
    since: datetime
    reason: str | None
    n_listed: int
    n_used: int
    n_finished: int
    n_failed: int
    is_complete: bool
    engines: int
    hot: tuple[HotJobs, ...] = ()
    queues: tuple[QueueRow, ...] = ()
    failures: tuple[Failure, ...] = ()
    units: FailedUnits = field(default_factory=lambda: FailedUnits(0, 0))
    brokerage: Brokerage | None = None
    parent: Parent | None = None
    asked: tuple[Asked, ...] = ()
    reason_code: str | None = None
    scouts: Scouts | None = None
    done: tuple[DoneCount, ...] = ()


@dataclass(frozen=True, slots=True)
class JobFacts:
    """A job with its queue, what it waits for, how it ended, and what retry rules did about that.

    `asks_for` is what it needs that few slots have, and that pilots of earlier releases never offer: several nodes, GPUs of a kind.
    `copies` are all copies of it, itself among them.
    """

    job_id: int
    task_id: int
    status: str
    kind: str
    attempt: int
    since: datetime
    engines: int
    queue: QueueRow | None = None
    lease_expires_at: datetime | None = None
    outcome: Outcome | None = None
    successor_id: int | None = None
    n_ahead: int = 0
    kill_reason: str | None = None
    predecessors: tuple[Predecessor, ...] = ()
    missing: tuple[str, ...] = ()
    asked: tuple[Asked, ...] = ()
    done: tuple[Done, ...] = ()
    asks_for: tuple[str, ...] = ()
    copies: tuple[Copy, ...] = ()
