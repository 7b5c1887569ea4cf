"""Jobs: made, looked at, moved without a lease. `leases.py` has what happens in the hands of pilots, `endings.py` how jobs end."""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from pandawms.domain.errors import Conflict
from pandawms.domain.job import JOB, JobEvent
from pandawms.domain.snapshot import Requirement
from pandawms.store import units
from pandawms.store.database import Connection
from pandawms.store.sql import load, made_or_found
from pandawms.store.units import Unit

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
    """An input of a job to be made: a unit of the task, or (for a merge job) only a file. `untouched` is the unit when no job has had it (`input_of`)."""

    job_id: int
    n: int
    task_dataset_id: int
    task_file_id: int | None
    file_id: int | None
    untouched: Unit | None = None


def input_of(job_id: int, n: int, unit: Unit) -> NewInput:
    """Returns a unit as the n-th input of a job to be made."""
    return NewInput(job_id, n, unit.task_dataset_id, unit.task_file_id, unit.file_id, unit if unit.is_ranged else None)


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
    """What never changes about a job, apart from its task's template, and the files that it reads (`n_inputs` counts chunks of events, too)."""

    job_id: int
    version: int
    kind: str
    serial: int
    endpoint_id: int | None
    first_event: int | None
    n_events: int | None
    n_inputs: int
    copy: int | None
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
    steps: list[dict[str, Any]] | None = None
    nodes: int = 1
    gpus: int = 0
    gpu_model: str = "any"
    gpu_memory_mb: int = 0
    copy: int | None = None


async def requirement_id(connection: Connection, need: Requirement) -> int:
    """Returns the class of these needs, made when missing."""
    return await made_or_found(
        sql.requirement, connection, cores=need.cores, memory_mb=need.memory_mb, disk_mb=need.disk_mb, wall_seconds=need.wall_seconds,
        architecture=need.architecture, gpus=need.gpus, kind=need.kind, nodes=need.nodes, gpu_model=need.gpu_model, gpu_memory_mb=need.gpu_memory_mb,
    )  # fmt: skip


async def next_ids(connection: Connection, n: int) -> list[int]:
    """Returns n new job ids."""
    return list(await sql.next_ids(connection, n=n) or ())


async def create(connection: Connection, *, task_id: int, version: int, kind: str, queue_id: int, requirement_id: int, endpoint_id: int | None,
                 priority: int, who: str, new: Sequence[NewJob], inputs: Sequence[NewInput], after: int | None = None) -> None:  # fmt: skip
    """Makes jobs of one task for one queue in status defined, with their inputs, and marks their units as running; those that had no row are born so.

    Where `after` names a job, which must not end before the caller's transaction does, they wait for that one.

    Where their outputs go (`endpoint_id`) is fixed with them, so that a queue that changes later misleads nobody. Raises Conflict when a unit is not ready any
    more: then the caller must undo it all.
    """
    await create_alone(
        connection, task_id=task_id, version=version, kind=kind, queue_id=queue_id, requirement_id=requirement_id, endpoint_id=endpoint_id, priority=priority,
        who=who, new=new, n_inputs=Counter([given.job_id for given in inputs]), after=after,
    )  # fmt: skip
    untouched = [given.untouched for given in inputs if given.untouched is not None]
    if untouched:
        await units.use(connection, untouched)
    await _add_inputs(connection, task_id, [given for given in inputs if given.task_file_id is not None or given.untouched is None])
    await _bear_inputs(connection, task_id, [given for given in inputs if given.task_file_id is None and given.untouched is not None])


async def create_alone(connection: Connection, *, task_id: int, version: int, kind: str, queue_id: int, requirement_id: int, endpoint_id: int | None,
                       priority: int, who: str, new: Sequence[NewJob], n_inputs: Mapping[int, int], after: int | None = None) -> None:  # fmt: skip
    """Makes jobs without their inputs, which the caller adds in the same transaction; `n_inputs` says how many each has."""
    job_ids, attempts, previous, serials, first_events, n_events = zip(*new, strict=True)
    await sql.create(
        connection, task_id=task_id, version=version, kind=kind, queue_id=queue_id, requirement_id=requirement_id, endpoint_id=endpoint_id,
        priority=priority, who=who, job_ids=job_ids, attempts=attempts, previous=previous, serials=serials, first_events=first_events, n_events=n_events,
        n_inputs=[n_inputs.get(job_id, 0) for job_id in job_ids], predecessor=after,
    )  # fmt: skip


async def _add_inputs(connection: Connection, task_id: int, inputs: Sequence[NewInput]) -> None:
    if not inputs:
        return
    job_ids, ns, task_dataset_ids, task_file_ids, file_ids, _ = zip(*inputs, strict=True)
    given = await sql.add_inputs(
        connection, task_id=task_id, job_ids=job_ids, ns=ns, task_dataset_ids=task_dataset_ids, task_file_ids=task_file_ids, file_ids=file_ids
    )
    wanted = len(task_file_ids) - task_file_ids.count(None)
    if given != wanted:
        raise Conflict(f"{wanted - given} of {wanted} units are not ready any more", code="unit.taken")


async def _bear_inputs(connection: Connection, task_id: int, inputs: Sequence[NewInput]) -> None:
    if not inputs:
        return
    job_ids, ns, task_dataset_ids, numbers, counts, first_events, n_events, max_attempts = zip(*_runs(inputs), strict=True)
    await sql.bear_inputs(
        connection, task_id=task_id, job_ids=job_ids, ns=ns, task_dataset_ids=task_dataset_ids, numbers=numbers, counts=counts, first_events=first_events,
        n_events=n_events, max_attempts=max_attempts,
    )  # fmt: skip


def _runs(inputs: Sequence[NewInput]) -> list[tuple[int, int, int, int, int, int | None, int | None, int]]:
    """Inputs without a row as (job, n, dataset in the task, number, count, first event, events, attempts), each with those that follow it in its job."""
    runs = []
    begin, count = inputs[0], 0
    following: tuple[int, int, int, int, int | None, int | None, int] | None = None
    for given in inputs:
        unit = given.untouched
        assert unit is not None, "an input without a row and without a file is an untouched unit"
        number, event, n_events = unit.number, unit.first_event, unit.n_events
        if (given.job_id, given.n, given.task_dataset_id, number, event, n_events, unit.max_attempts) != following:
            if count:
                runs.append(_run(begin, count))
            begin, count = given, 0
        count += 1
        next_event = None if event is None else event + (1 if n_events is None else n_events)
        following = (given.job_id, given.n + 1, given.task_dataset_id, number + 1, next_event, n_events, unit.max_attempts)
    return [*runs, _run(begin, count)]


def _run(given: NewInput, count: int) -> tuple[int, int, int, int, int, int | None, int | None, int]:
    unit = given.untouched
    assert unit is not None, "checked before"
    return given.job_id, given.n, given.task_dataset_id, unit.number, count, unit.first_event, unit.n_events, unit.max_attempts


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
        job_id, version, kind, serial, endpoint_id, first_event, n_events, n_inputs, copy, *read = row
        if job_id not in found:
            found[job_id] = Spec(job_id, version, kind, serial, endpoint_id, first_event, n_events, n_inputs, copy, [])
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


async def keep_steps(connection: Connection, steps: Mapping[int, Sequence[Mapping[str, Any]]]) -> None:
    """Keeps what the steps of jobs used."""
    await sql.keep_steps(connection, job_ids=list(steps), steps=[json.dumps(each) for each in steps.values()], low=min(steps), high=max(steps))


async def highest_id(connection: Connection) -> int:
    """Returns the last job id given out."""
    return int(await sql.highest_id(connection))
