"""From rows to what the API shows. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from pandawms.domain.job import LEASED, QUEUED, JobStatus, seed
from pandawms.domain.outcome import Outcome
from pandawms.engine.blueprints import Output
from pandawms.store.catalogue import Dataset as DatasetOfStore
from pandawms.store.clones import Copy
from pandawms.store.events import Event
from pandawms.store.jobs import Job
from pandawms.store.jobs import JobFile as JobFileRow
from pandawms.store.list_rows import DatasetRow, FileRow, JobRow, TaskRow, UnitRow, WorkerRow
from pandawms.store.payloads import PayloadRow
from pandawms.store.tasks import JobCount, Task
from pandawms.store.units import TaskDataset
from pandawms.store.workers import Worker as WorkerOfStore
from pandawms.wire.dataset import Dataset, File, Replica
from pandawms.wire.document import TaskDocument
from pandawms.wire.document_view import program_command
from pandawms.wire.event import ChangeEvent
from pandawms.wire.job import JobCopies, JobCopy, JobDetail, JobFile, JobOutcome, JobPayload, JobSummary, StepUse
from pandawms.wire.task import InputCounters, TaskInputUnit, TaskOutput, TaskSummary, UnitReason
from pandawms.wire.worker import Worker


def counters(datasets: Sequence[TaskDataset]) -> InputCounters:
    """Returns the units of the primary input by where they stand; a unit that failed but has attempts left counts as running until it is ready again."""
    masters = [d for d in datasets if d.is_master]
    listed, used = sum(d.n_listed for d in masters), sum(d.n_used for d in masters)
    finished, failed = sum(d.n_finished for d in masters), sum(d.n_failed for d in masters)
    return InputCounters(total=listed, ready=listed - used, running=used - finished - failed, finished=finished, failed=failed)


def by_status(counts: Sequence[JobCount]) -> dict[str, int]:
    """Returns the jobs of a task by status, hot and ended ones together."""
    found: dict[str, int] = {}
    for count in counts:
        found[count.status] = found.get(count.status, 0) + count.n
    return found


def reason_text(reason: Mapping[str, Any] | None) -> str | None:
    """Returns the sentence of a kept reason."""
    if not reason:
        return None
    return str(reason.get("text") or reason.get("message") or reason.get("code") or "") or None


def task_summary(task: TaskRow | Task, datasets: Sequence[TaskDataset], counts: Sequence[JobCount]) -> TaskSummary:
    """A task in a list."""
    return TaskSummary(
        task_id=task.task_id, name=task.name, owner=task.owner, community=task.community, status=task.status, priority=task.priority,
        inputs=counters(datasets), jobs=by_status(counts), created_at=task.created_at, started_at=task.started_at, ended_at=task.ended_at,
        reason=reason_text(task.reason),
    )  # fmt: skip


def outputs(datasets: Sequence[TaskDataset]) -> tuple[TaskOutput, ...]:
    """The datasets that a task writes."""
    return tuple(
        TaskOutput(
            stream=d.stream, dataset_id=d.dataset_id, dataset=f"{d.scope}:{d.name}", status="open" if d.is_open else "closed",
            n_files=d.dataset_files or 0, size_bytes=d.dataset_bytes or 0, n_events=d.dataset_events or None, is_transient=d.role == "transient",
        )
        for d in datasets if d.role in ("output", "transient") and d.dataset_id is not None
    )  # fmt: skip


def unit(row: UnitRow) -> TaskInputUnit:
    """An input unit of a task."""
    told = {name: getattr(row, name) for name in UnitRow.__dataclass_fields__}
    return TaskInputUnit(**told | {"reason": row.reason and UnitReason(**row.reason)})


def job_summary(row: JobRow) -> JobSummary:
    """A job in a list."""
    return JobSummary(**{name: getattr(row, name) for name in JobRow.__dataclass_fields__})


def job_outcome(job: Job | PayloadRow) -> JobOutcome | None:
    """How a job or a payload ended, None while it has not."""
    if job.error_domain is None or job.error_code is None:
        return None
    outcome = Outcome(job.error_domain, job.error_code, job.exit_code, job.exit_signal, job.message or "", bool(job.is_retryable))
    return JobOutcome(
        domain=outcome.domain, code=outcome.code, message=outcome.message, name=outcome.name, exit_code=outcome.exit_code, signal=outcome.signal,
        retryable=outcome.retryable, advice=None if outcome.is_success else outcome.advice,
    )  # fmt: skip


def job_copies(found: Sequence[Copy]) -> JobCopies | None:
    """The copies of a job; None where it has none."""
    if not found:
        return None
    each = tuple(JobCopy(job_id=c.job_id, number=c.copy, queue=c.queue, status=c.status, leads=c.job_id == c.lead_job_id) for c in found)
    return JobCopies(mode=found[0].mode, state=found[0].group_status, winner_job_id=found[0].winner_job_id, copies=each)


def job_payload(job: Job, row: PayloadRow) -> JobPayload:
    """One payload of a job; one of which nobody told ends as its job does."""
    return JobPayload(
        n=row.n, unit_id=row.unit_id, number=row.number, status=row.status or INPUT_STATUS.get(JobStatus(job.status), "waiting"), attempt=row.attempt,
        name=row.file,
        first_event=row.first_event if row.n_events is not None else None, n_events=row.n_events, outcome=job_outcome(row), wall_seconds=row.wall_seconds,
        cpu_seconds=row.cpu_seconds, max_rss_mb=row.max_rss_mb, ended_at=row.ended_at,
    )  # fmt: skip


def job_detail(job: Job, document: TaskDocument, node: str | None, lease_seconds: float, *, has_log: bool) -> JobDetail:
    """Everything about one job; `command` is the task's own, with its placeholders."""
    special = {"merge": document.merge, "build": document.build}.get(job.kind)
    command = special.command if special is not None else program_command(document)
    lease = job.lease_expires_at if job.status in LEASED else None
    return JobDetail(
        job_id=job.job_id, task_id=job.task_id, kind=job.kind, status=job.status, attempt=job.attempt, created_at=job.created_at, task_name=job.task_name,
        queue=job.queue, priority=job.priority, worker_id=job.worker_id, node=node, previous_job_id=job.previous_job_id, started_at=job.started_at,
        ended_at=job.ended_at, reason=job.message or None, command=command, serial=job.serial, first_event=job.first_event,
        n_events=job.n_events, seed=seed(job.task_id, job.serial, document.split.seed_offset), cores=job.cores, memory_mb=job.memory_mb, disk_mb=job.disk_mb,
        wall_limit_seconds=job.limit_wall_seconds, wall_seconds=job.wall_seconds, cpu_seconds=job.cpu_seconds, max_rss_mb=job.max_rss_mb,
        lease_until_at=lease, heartbeat_at=lease and lease - timedelta(seconds=lease_seconds), has_log=has_log, outcome=job_outcome(job),
        steps=tuple(StepUse(**step) for step in job.steps or ()), nodes=job.nodes, gpus=job.gpus, gpu_model=job.gpu_model, gpu_memory_mb=job.gpu_memory_mb,
    )  # fmt: skip


INPUT_STATUS = {JobStatus.FINISHED: "finished", JobStatus.FAILED: "failed", JobStatus.CANCELLED: "cancelled", JobStatus.CLOSED: "cancelled"}
"""Where the inputs of an ended job stand: an input stands where its job stands, `running` before that."""
OUTPUT_STATUS = {**dict.fromkeys(QUEUED, "defined"), JobStatus.FAILED: "failed", JobStatus.CANCELLED: "cancelled", JobStatus.CLOSED: "cancelled"}
"""Where outputs that nobody wrote yet stand, `running` while a pilot has their job."""


def unwritten(job: Job, output: Output) -> JobFile:
    """An output that a job was told to write and that is not in the catalogue."""
    return JobFile(
        direction="output", stream=output.stream, name=output.name, status=OUTPUT_STATUS.get(JobStatus(job.status), "running"), file_id=None,
        size_bytes=None, local_name=output.local_name, adler32=None, n_events=None,
    )  # fmt: skip


def job_file(job: Job, row: JobFileRow, local_names: Mapping[str, str], payload_status: str | None = None) -> JobFile:
    """A file of a job; a chunk of events is named by its events. An input stands where its job stands, or where its payload does."""
    chunk = f"events {row.first_event} to {row.first_event + (row.n_events or 0) - 1}" if row.first_event is not None else ""
    return JobFile(
        direction=row.role, stream=row.stream, name=row.name or chunk,
        status=row.status if row.role == "output" and row.status else payload_status or INPUT_STATUS.get(JobStatus(job.status), "running"),
        file_id=row.file_id, size_bytes=row.size_bytes,
        local_name=local_names.get(row.stream) if row.role == "output" else row.name, adler32=row.adler32.hex() if row.adler32 else None,
        n_events=row.events if row.events is not None else row.n_events,
    )  # fmt: skip


def change(event: Event, event_id: str) -> ChangeEvent:
    """One line of a log; `event_id` is its place in the list or stream that it is part of."""
    return ChangeEvent(
        event_id=event_id, entity=event.entity, entity_id=str(event.entity_id), event=event.event, to_status=event.to_status, at=event.at,
        from_status=event.from_status, task_id=event.task_id, reason=reason_text(event.why), detail={**(event.why or {}), "who": event.who},
    )  # fmt: skip


def dataset(row: DatasetRow | DatasetOfStore) -> Dataset:
    """A dataset."""
    return Dataset(
        dataset_id=row.dataset_id, scope=row.scope, name=row.name, status="open" if row.is_open else "closed", is_open=row.is_open, n_files=row.n_files,
        size_bytes=row.n_bytes, created_at=row.created_at, owner=row.owner, community=row.community, n_events=row.n_events or None,
        task_id=row.producer_task_id, closed_at=row.closed_at,
    )  # fmt: skip


def file(row: FileRow, replicas: tuple[Replica, ...] = (), job_id: int | None = None) -> File:
    """A file; its status is `ready` when some storage has it, else `expected`."""
    return File(
        file_id=row.file_id, dataset_id=row.dataset_id, scope=row.scope, name=row.name, status="ready" if row.is_there else "expected",
        size_bytes=row.size_bytes, adler32=row.adler32.hex(), guid=str(row.guid), n_events=row.events, created_at=row.created_at, job_id=job_id,
        replicas=replicas,
    )  # fmt: skip


def worker(row: WorkerRow | WorkerOfStore, token: str | None = None) -> Worker:
    """A worker; `token` only in the answer to its creation."""
    return Worker(
        worker_id=row.worker_id, queue=row.queue, status=row.status, created_at=row.created_at, provisioner=row.provisioner, batch_id=row.native_id,
        node=row.node, heartbeat_at=row.seen_at, ended_at=row.ended_at, reason=row.diagnosis, token=token,
    )  # fmt: skip
