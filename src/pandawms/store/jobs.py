"""Jobs: made, looked at, moved without a lease. `leases.py` has what happens in the hands of pilots, `endings.py` how jobs end."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from pandawms.domain.job import JOB, JobEvent
from pandawms.domain.snapshot import Requirement
from pandawms.store.database import Connection
from pandawms.store.sql import load, made_or_found

sql = load("jobs")


class NewJob(NamedTuple):
    """A job to be made. `serial` is its number within its task, which its seed and the names of its outputs follow from."""

    job_id: int
    attempt: int
    previous_job_id: int | None
    serial: int
    first_event: int | None = None
    n_events: int | None = None


class NewInput(NamedTuple):
    """An input of a job to be made: a unit of the task, or (for a merge job) only a file."""

    job_id: int
    n: int
    task_dataset_id: int
    task_file_id: int | None
    file_id: int | None


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A job that waits for data; `n_missing` of its input files have no replica that its queue reads."""

    job_id: int
    task_id: int
    status: str
    queue_id: int
    n_missing: int


class Input(NamedTuple):
    """A file that a job reads; `adler32` is 4 bytes, `events` None where not counted."""

    stream: str
    scope: str
    name: str
    size_bytes: int
    adler32: bytes
    guid: UUID
    events: int | None


@dataclass(slots=True)
class Spec:
    """What never changes about a job, apart from its task's template, and the files that it reads."""

    job_id: int
    version: int
    kind: str
    serial: int
    endpoint_id: int | None
    first_event: int | None
    n_events: int | None
    inputs: list[Input]


@dataclass(frozen=True, slots=True)
class JobFile:
    """A file of a job; the fields of the catalogue are None for an event chunk. `status` is None for an input: it stands where its job stands."""

    job_id: int
    n: int
    role: str
    status: str | None
    task_dataset_id: int
    task_file_id: int | None
    merge_group_id: int | None
    stream: str
    name: str | None
    scope: str | None
    dataset: str | None
    file_id: int | None
    size_bytes: int | None
    adler32: bytes | None
    guid: UUID | None
    events: int | None
    first_event: int | None
    n_events: int | None


@dataclass(frozen=True, slots=True)
class Job:
    """One job, hot or ended, with everything about it."""

    job_id: int
    task_id: int
    task_name: str
    kind: str
    attempt: int
    previous_job_id: int | None
    created_at: datetime
    serial: int
    first_event: int | None
    n_events: int | None
    version: int
    queue: str
    status: str
    priority: int
    worker_id: int | None
    claim_id: UUID | None
    lease_expires_at: datetime | None
    waits_for: int | None
    cores: int
    memory_mb: int
    disk_mb: int
    limit_wall_seconds: int
    error_domain: str | None
    error_code: int | None
    exit_code: int | None
    exit_signal: int | None
    message: str | None
    is_retryable: bool | None
    started_at: datetime | None
    ended_at: datetime | None
    wall_seconds: float | None
    cpu_seconds: float | None
    max_rss_mb: int | None
    owner_id: int
    community: str


async def requirement_id(connection: Connection, need: Requirement) -> int:
    """Returns the class of these needs, made when missing."""
    return await made_or_found(
        sql.requirement, connection, cores=need.cores, memory_mb=need.memory_mb, disk_mb=need.disk_mb, wall_seconds=need.wall_seconds,
        architecture=need.architecture, gpus=need.gpus, kind=need.kind,
    )  # fmt: skip


async def next_ids(connection: Connection, n: int) -> list[int]:
    """Returns n new job ids."""
    return list(await sql.next_ids(connection, n=n) or ())


async def create(connection: Connection, *, task_id: int, version: int, kind: str, queue_id: int, requirement_id: int, endpoint_id: int | None,
                 priority: int, who: str, new: Sequence[NewJob], inputs: Sequence[NewInput]) -> None:  # fmt: skip
    """Makes jobs of one task for one queue in status defined, with their inputs, and marks their units as running.

    Where their outputs go (`endpoint_id`) is fixed with them, so that a queue that changes later misleads nobody.
    """
    n_inputs: dict[int, int] = {}
    for given in inputs:
        n_inputs[given.job_id] = n_inputs.get(given.job_id, 0) + 1
    job_ids, attempts, previous, serials, first_events, n_events = zip(*new, strict=True)
    await sql.create(
        connection, task_id=task_id, version=version, kind=kind, queue_id=queue_id, requirement_id=requirement_id, endpoint_id=endpoint_id,
        priority=priority, who=who, job_ids=job_ids, attempts=attempts, previous=previous, serials=serials, first_events=first_events, n_events=n_events,
        n_inputs=[n_inputs.get(job_id, 0) for job_id in job_ids],
    )  # fmt: skip
    if inputs:
        of, ns, task_dataset_ids, task_file_ids, file_ids = zip(*inputs, strict=True)
        await sql.add_inputs(connection, task_id=task_id, job_ids=of, ns=ns, task_dataset_ids=task_dataset_ids, task_file_ids=task_file_ids, file_ids=file_ids)


async def unplaced(connection: Connection, n: int) -> list[Unplaced]:
    """Returns up to n jobs that wait for their data, for the caller alone until its transaction ends."""
    return [Unplaced(**row) async for row in sql.unplaced(connection, n=n)]


async def move(connection: Connection, job_ids: Collection[int], event: JobEvent, who: str) -> list[tuple[int, int]]:
    """Applies an event (with one target and no lease) to jobs; returns (job_id, queue_id) of those that were where it may happen."""
    (target,) = {JOB.next_status(source, event) for source in JOB.sources(event)}
    rows = sql.move(connection, job_ids=sorted(job_ids), from_statuses=[str(s) for s in JOB.sources(event)], to_status=str(target), event=str(event), who=who)
    return [(row["job_id"], row["queue_id"]) async for row in rows]


async def specs(connection: Connection, job_ids: Collection[int]) -> dict[int, Spec]:
    """Returns what never changes about jobs, with their inputs in order."""
    found: dict[int, Spec] = {}
    async for row in sql.specs(connection, job_ids=list(job_ids), low=min(job_ids), high=max(job_ids)):
        job_id, version, kind, serial, endpoint_id, first_event, n_events, *read = row
        if job_id not in found:
            found[job_id] = Spec(job_id, version, kind, serial, endpoint_id, first_event, n_events, [])
        if read[0] is not None:
            found[job_id].inputs.append(Input(*read))
    return found


async def files_of(connection: Connection, job_id: int) -> list[JobFile]:
    """Returns the files of a job in order: all inputs, and the outputs that were written."""
    return [JobFile(**row) async for row in sql.files_of(connection, job_id=job_id)]


async def write_endpoints(connection: Connection, queue_ids: Collection[int]) -> dict[int, int]:
    """Returns the endpoint that each queue writes to."""
    return {row["queue_id"]: row["endpoint_id"] async for row in sql.write_endpoint(connection, queue_ids=list(queue_ids))}


async def get(connection: Connection, job_id: int) -> Job | None:
    """Returns a job by id, hot or ended."""
    row = await sql.job(connection, job_id=job_id)
    return row and Job(**row)


async def highest_id(connection: Connection) -> int:
    """Returns the last job id given out."""
    return int(await sql.highest_id(connection))
