"""Makes the values that the plan looks at from what the store has. Pure."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pandawms.domain.codes import Domain
from pandawms.domain.outcome import Outcome
from pandawms.domain.queue import PERMITS, QueueStatus
from pandawms.engine.aggregate.retries.values import FailedUnit, Failure, TaskPicture
from pandawms.engine.ordering import applied
from pandawms.engine.requirements import effective
from pandawms.engine.slots import may_run_in
from pandawms.store.payloads import FailedPayload
from pandawms.store.retry_rules import FailedJob, Slot, Unjudged
from pandawms.wire.document import TaskDocument
from pandawms.wire.document_view import primary

GONE = Outcome("pilot", 0, message="how it ended is not in the database any more")
"""How a job ended whose row has left: it costs an attempt, and no rule is for it."""


def task_picture(document: TaskDocument, *, task_id: int, community: str, learned: Mapping[str, Any], ordered: Mapping[str, Any], slots: Iterable[Slot] = (),
                 avoided: Collection[str] = (), readers: Collection[int] | None = None, n_units: int = 1,
                 raised: Mapping[int, int] | None = None) -> TaskPicture:  # fmt: skip
    """Returns the picture of a task whose units failed.

    `slots` are of all queues, of which those that it may use are found here; `readers` are the queues (ids) that
    read inputs that failed (None: there are none to read).
    """
    document = applied(document, ordered)
    resources, retry = effective(document.resources, learned, ordered), document.retry
    usable = [slot for slot in slots if is_usable(slot, document, community)]
    kind = primary(document)[1].kinds[0]
    return TaskPicture(
        task_id, document.name, community, "dataset" if kind == "files" else kind, resources.memory_mb, retry.max_failures, retry.max_memory_mb,
        retry.memory_step_mb, retry.use_rules, resources.is_fixed,
        most_memory_mb=max((slot.memory_mb for slot in usable), default=None),
        most_wall_seconds=max((slot.max_wall_seconds for slot in usable), default=None),
        open_queues=frozenset(
            slot.queue_id for slot in usable
            if slot.name not in avoided and _is_open(slot, resources.memory_mb, resources.wall_seconds) and _has_storage(slot, readers)
        ),
        n_units=max(1, n_units), raised=dict(raised or {}),
    )  # fmt: skip


def is_usable(slot: Slot, document: TaskDocument, community: str) -> bool:
    """Whether a task may use a queue for what it needs beside memory and time (the lasting rules of the broker)."""
    return may_run_in(slot, document, community, document.resources) and slot.disk_mb >= document.resources.disk_mb


def _is_open(slot: Slot, memory_mb: int, wall_seconds: int) -> bool:
    permits = PERMITS[QueueStatus(slot.status)]
    return permits.brokered and not permits.tests_only and slot.memory_mb >= memory_mb and slot.max_wall_seconds >= wall_seconds


def _has_storage(slot: Slot, readers: Collection[int] | None) -> bool:
    return slot.can_write and (readers is None or slot.queue_id in readers)


def failure(job: FailedJob, with_other_copies: Collection[int] = (), n_units: int | None = None) -> Failure:
    """Returns how a job ended; `n_units` is how many units it had where that is known (what the store has counts secondary inputs, too)."""
    return Failure(
        job.job_id, job.outcome, job.queue_id, job.queue, job.status == "closed", job.attempt, job.cores, job.memory_mb, job.wall_seconds, job.max_rss_mb,
        n_units or job.n_units, job.job_id in with_other_copies,
    )  # fmt: skip


def gone(job_id: int) -> Failure:
    """Returns what is known of a job whose row has left the database."""
    return Failure(job_id, GONE, 0, "")


def is_about_data(job: FailedJob) -> bool:
    """Whether another copy of an input might help."""
    return job.outcome.domain == Domain.DATA


def payload_failure(payload: FailedPayload, n_units: int) -> Failure:
    """Returns how a payload of a job failed that had so many units to be judged."""
    return Failure(
        payload.job_id, payload.outcome, payload.queue_id, payload.queue, False, payload.attempt, payload.cores, payload.memory_mb, payload.wall_seconds,
        payload.max_rss_mb, n_units,
    )  # fmt: skip


def unit(row: Unjudged, payload: int | None = None) -> FailedUnit:
    """Returns a unit whose job failed, or the n-th payload of its job."""
    return FailedUnit(**{name: getattr(row, name) for name in Unjudged.__dataclass_fields__}, payload=payload)
