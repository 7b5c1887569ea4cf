"""The columns of each list."""

from __future__ import annotations

from pandawms.cli.terminal import Column, age_text, bytes_text
from pandawms.wire.dataset import Dataset, File
from pandawms.wire.job import JobSummary
from pandawms.wire.queue import Queue, Site
from pandawms.wire.task import TaskInputUnit, TaskSummary
from pandawms.wire.token import TokenView
from pandawms.wire.worker import Worker

TASKS: tuple[Column[TaskSummary], ...] = (
    Column("task_id", lambda task: task.task_id, is_number=True),
    Column("name", lambda task: task.name),
    Column("status", lambda task: task.status),
    Column("total", lambda task: task.inputs.total, is_number=True),
    Column("finished", lambda task: task.inputs.finished, is_number=True),
    Column("failed", lambda task: task.inputs.failed, is_number=True),
    Column("running", lambda task: task.inputs.running, is_number=True),
    Column("owner", lambda task: task.owner),
    Column("created_at", lambda task: task.created_at, lambda task: age_text(task.created_at)),
    Column("reason", lambda task: task.reason, lambda task: task.reason or ""),
)
JOBS: tuple[Column[JobSummary], ...] = (
    Column("job_id", lambda job: job.job_id, is_number=True),
    Column("task_id", lambda job: job.task_id, is_number=True),
    Column("kind", lambda job: job.kind),
    Column("status", lambda job: job.status),
    Column("attempt", lambda job: job.attempt, is_number=True),
    Column("queue", lambda job: job.queue),
    Column("node", lambda job: job.node),
    Column("created_at", lambda job: job.created_at, lambda job: age_text(job.created_at)),
    Column("ended_at", lambda job: job.ended_at, lambda job: age_text(job.ended_at)),
    Column("reason", lambda job: job.reason, lambda job: job.reason or ""),
)
FILES: tuple[Column[File], ...] = (
    Column("file_id", lambda file: file.file_id, is_number=True),
    Column("name", lambda file: file.name),
    Column("status", lambda file: file.status),
    Column("size_bytes", lambda file: file.size_bytes, lambda file: bytes_text(file.size_bytes), is_number=True),
    Column("adler32", lambda file: file.adler32),
    Column("n_events", lambda file: file.n_events, is_number=True),
    Column("guid", lambda file: file.guid),
)
UNITS: tuple[Column[TaskInputUnit], ...] = (
    Column("number", lambda unit: unit.number, is_number=True),
    Column("stream", lambda unit: unit.stream),
    Column("name", lambda unit: unit.name),
    Column("first_event", lambda unit: unit.first_event, is_number=True),
    Column("n_events", lambda unit: unit.n_events, is_number=True),
    Column("status", lambda unit: unit.status),
    Column("attempt", lambda unit: unit.attempt, is_number=True),
    Column("failed_attempts", lambda unit: unit.failed_attempts, is_number=True),
    Column("max_attempts", lambda unit: unit.max_attempts, is_number=True),
    Column("job_id", lambda unit: unit.job_id, is_number=True),
    Column("reason", lambda unit: unit.reason and unit.reason.text),
)
DATASETS: tuple[Column[Dataset], ...] = (
    Column("name", lambda dataset: f"{dataset.scope}:{dataset.name}"),
    Column("status", lambda dataset: dataset.status),
    Column("n_files", lambda dataset: dataset.n_files, is_number=True),
    Column("size_bytes", lambda dataset: dataset.size_bytes, lambda dataset: bytes_text(dataset.size_bytes), is_number=True),
    Column("n_events", lambda dataset: dataset.n_events, is_number=True),
    Column("task_id", lambda dataset: dataset.task_id, is_number=True),
    Column("created_at", lambda dataset: dataset.created_at, lambda dataset: age_text(dataset.created_at)),
)
QUEUES: tuple[Column[Queue], ...] = (
    Column("name", lambda queue: queue.name),
    Column("site", lambda queue: queue.site),
    Column("status", lambda queue: queue.status),
    Column("slots", lambda queue: queue.slots, is_number=True),
    Column("nodes", lambda queue: queue.nodes, is_number=True),
    Column("cores", lambda queue: queue.cores, is_number=True),
    Column("gpus", lambda queue: queue.gpus, lambda queue: f"{queue.gpus} {queue.gpu_model}".strip(), is_number=True),
    Column("memory_mb", lambda queue: queue.memory_mb, is_number=True),
    Column("disk_mb", lambda queue: queue.disk_mb, is_number=True),
    Column("wall_seconds", lambda queue: queue.wall_seconds, is_number=True),
    Column("n_workers", lambda queue: queue.n_workers, is_number=True),
    Column("jobs", lambda queue: queue.jobs),
    Column("reason", lambda queue: queue.reason, lambda queue: queue.reason or ""),
)
WORKERS: tuple[Column[Worker], ...] = (
    Column("worker_id", lambda worker: worker.worker_id, is_number=True),
    Column("queue", lambda worker: worker.queue),
    Column("status", lambda worker: worker.status),
    Column("batch_id", lambda worker: worker.batch_id),
    Column("node", lambda worker: worker.node),
    Column("n_jobs", lambda worker: worker.n_jobs, is_number=True),
    Column("created_at", lambda worker: worker.created_at, lambda worker: age_text(worker.created_at)),
    Column("heartbeat_at", lambda worker: worker.heartbeat_at, lambda worker: age_text(worker.heartbeat_at)),
    Column("exit_code", lambda worker: worker.exit_code, is_number=True),
    Column("reason", lambda worker: worker.reason, lambda worker: worker.reason or ""),
)
SITES: tuple[Column[Site], ...] = (
    Column("name", lambda site: site.name),
    Column("status", lambda site: site.status),
    Column("queues", lambda site: site.queues),
    Column("storage_endpoints", lambda site: site.storage_endpoints),
)
TOKENS: tuple[Column[TokenView], ...] = (
    Column("token_id", lambda token: token.token_id),
    Column("name", lambda token: token.name),
    Column("scopes", lambda token: token.scopes),
    Column("queue", lambda token: token.queue),
    Column("created_at", lambda token: token.created_at, lambda token: age_text(token.created_at)),
    Column("expires_at", lambda token: token.expires_at),
    Column("revoked_at", lambda token: token.revoked_at),
)
