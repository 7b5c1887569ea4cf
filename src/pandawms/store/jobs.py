"""Jobs: identity, hot row, archive and files; and the set-based moves of the hot path."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from pandawms.domain.errors import Conflict
from pandawms.domain.job import JOB, JobEvent, JobStatus
from pandawms.domain.outcome import Outcome
from pandawms.domain.snapshot import Requirement
from pandawms.store import tasks
from pandawms.store.database import Connection
from pandawms.store.sql import load, made_or_found

sql = load("jobs")


class NewJob(NamedTuple):
    """A job to be made."""

    job_id: int
    attempt: int
    previous_job_id: int | None
    delta: dict[str, Any]


class NewInput(NamedTuple):
    """An input of a job to be made: a unit of the task, or (for a merge job) only a file."""

    job_id: int
    n: int
    task_dataset_id: int
    task_file_id: int | None
    file_id: int | None


class NewOutput(NamedTuple):
    """An output that a job to be made will write."""

    job_id: int
    n: int
    task_dataset_id: int
    name: str


@dataclass(frozen=True, slots=True)
class Held:
    """A job that the caller has locked; `is_killed` when its pilot was to be told to stop it (looked up for lost jobs only),
    `endpoint_id` is where its outputs were told to go (looked up for reports only)."""

    job_id: int
    task_id: int
    status: str
    queue_id: int
    attempt: int
    kind: str
    is_killed: bool = False
    endpoint_id: int | None = None


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A job that waits for data; `n_missing` of its input files have no replica that its queue reads."""

    job_id: int
    task_id: int
    status: str
    queue_id: int
    n_missing: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What a payload used, as its pilot measured it."""

    started_at: datetime | None = None
    wall_seconds: float | None = None
    cpu_seconds: float | None = None
    max_rss_mb: int | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job ends: by which event, with what outcome, having used what."""

    job: Held
    event: JobEvent
    outcome: Outcome
    usage: Usage = Usage()

    @property
    def status(self) -> JobStatus:
        """The final status that follows; raises Conflict when the table has no such move."""
        return JOB.next_status(JobStatus(self.job.status), self.event)


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a pilot must know of a job, apart from its template and files."""

    job_id: int
    task_id: int
    version: int
    kind: str
    attempt: int
    delta: dict[str, Any]
    task_name: str
    owner: str
    claim_id: UUID
    queue_id: int
    cores: int
    memory_mb: int
    disk_mb: int
    wall_seconds: int


@dataclass(frozen=True, slots=True)
class JobFile:
    """A file of a job; the fields of the catalogue are None for an event chunk and for an output not written yet."""

    job_id: int
    n: int
    role: str
    status: str
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
class Expected:
    """An output that a job was told to write, with the dataset that takes it."""

    job_id: int
    n: int
    name: str
    stream: str
    dataset_id: int
    dataset_role: str
    scope: str


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a job that is not leased (any more)."""

    job_id: int
    claim_id: UUID | None
    status: str
    error_domain: str
    error_code: int


@dataclass(frozen=True, slots=True)
class Told:
    """The answer to a heartbeat of a job that is still its claim's; `verdict` is None when it goes on."""

    job_id: int
    verdict: str | None
    reason: str | None


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
    delta: dict[str, Any]
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
    return [row["job_id"] async for row in sql.next_ids(connection, n=n)]


async def create(connection: Connection, *, task_id: int, version: int, kind: str, queue_id: int, requirement_id: int, priority: int, who: str,
                 new: Sequence[NewJob], inputs: Sequence[NewInput], outputs: Sequence[NewOutput]) -> None:  # fmt: skip
    """Makes jobs of one task for one queue in status defined, with their files, and marks their units as running."""
    await sql.create(
        connection, task_id=task_id, version=version, kind=kind, queue_id=queue_id, requirement_id=requirement_id, priority=priority, who=who,
        job_ids=[j.job_id for j in new], attempts=[j.attempt for j in new], previous=[j.previous_job_id for j in new], deltas=[j.delta for j in new],
    )  # fmt: skip
    await sql.add_inputs(
        connection, task_id=task_id, job_ids=[f.job_id for f in inputs], ns=[f.n for f in inputs], task_dataset_ids=[f.task_dataset_id for f in inputs],
        task_file_ids=[f.task_file_id for f in inputs], file_ids=[f.file_id for f in inputs],
    )  # fmt: skip
    await sql.add_outputs(
        connection, task_id=task_id, job_ids=[f.job_id for f in outputs], ns=[f.n for f in outputs],
        task_dataset_ids=[f.task_dataset_id for f in outputs], names=[f.name for f in outputs],
    )  # fmt: skip
    units = sorted((f.task_file_id, f.job_id) for f in inputs if f.task_file_id is not None)
    await sql.run_units(connection, task_file_ids=[unit for unit, _ in units], job_ids=[job_id for _, job_id in units])


async def unplaced(connection: Connection, n: int) -> list[Unplaced]:
    """Returns up to n jobs that wait for their data, for the caller alone until its transaction ends."""
    return [Unplaced(**row) async for row in sql.unplaced(connection, n=n)]


async def move(connection: Connection, job_ids: Collection[int], event: JobEvent, who: str) -> list[tuple[int, int]]:
    """Applies an event (with one target and no lease) to jobs; returns (job_id, queue_id) of those that were where it may happen."""
    (target,) = {JOB.next_status(source, event) for source in JOB.sources(event)}
    rows = sql.move(connection, job_ids=sorted(job_ids), from_statuses=[str(s) for s in JOB.sources(event)], to_status=str(target), event=str(event), who=who)
    return [(row["job_id"], row["queue_id"]) async for row in rows]


async def fitting(connection: Connection, *, cores: int, memory_mb: int | None, disk_mb: int | None, wall_seconds: int | None, architecture: str,
                  gpus: int) -> list[int]:  # fmt: skip
    """Returns the requirement classes that a slot of this size can run; None does not bind."""
    rows = sql.fitting(connection, cores=cores, memory_mb=memory_mb, disk_mb=disk_mb, wall_seconds=wall_seconds, architecture=architecture, gpus=gpus)
    return [row["requirement_id"] async for row in rows]


async def hold_claims(connection: Connection, claim_ids: Collection[UUID]) -> None:
    """Makes the caller the only one who answers these claims until its transaction ends, on all servers."""
    await sql.hold_claims(connection, keys=[claim_id.int % 2**63 for claim_id in claim_ids])


async def claimed(connection: Connection, claim_ids: Collection[UUID]) -> dict[UUID, list[int]]:
    """Returns the jobs that are leased under these claims already."""
    found: dict[UUID, list[int]] = {}
    async for row in sql.claimed(connection, claim_ids=list(claim_ids)):
        found.setdefault(row["claim_id"], []).append(row["job_id"])
    return found


async def claim(connection: Connection, *, queue_id: int, share_ids: Sequence[int], requirement_ids: Sequence[int],
                wanted: Sequence[tuple[UUID, int | None]], lease_seconds: float) -> dict[UUID, list[int]]:  # fmt: skip
    """Gives ready jobs of a queue to claims: one for each (claim_id, worker_id) in `wanted`, as far as there are any."""
    rows = sql.claim(
        connection, queue_id=queue_id, share_ids=list(share_ids), requirement_ids=list(requirement_ids),
        claim_ids=[claim_id for claim_id, _ in wanted], worker_ids=[worker_id for _, worker_id in wanted], lease_seconds=lease_seconds,
    )  # fmt: skip
    found: dict[UUID, list[int]] = {}
    async for row in rows:
        found.setdefault(row["claim_id"], []).append(row["job_id"])
    return found


async def resolve(connection: Connection, job_ids: Collection[int]) -> list[Resolved]:
    """Returns what pilots must know of leased jobs, apart from templates and files."""
    return [Resolved(**row) async for row in sql.resolve(connection, job_ids=list(job_ids))]


async def files_of(connection: Connection, job_ids: Collection[int]) -> dict[int, list[JobFile]]:
    """Returns the files of jobs, in order."""
    found: dict[int, list[JobFile]] = {job_id: [] for job_id in job_ids}
    async for row in sql.files_of(connection, job_ids=list(job_ids)):
        found[row["job_id"]].append(JobFile(**row))
    return found


async def beat(connection: Connection, beats: Sequence[tuple[int, UUID, str]], lease_seconds: float) -> dict[int, Told]:
    """Renews the leases of (job_id, claim_id, status) and returns what each job that is still its claim's is told."""
    ordered = sorted(set(beats))
    rows = sql.beat(
        connection, job_ids=[b[0] for b in ordered], claim_ids=[b[1] for b in ordered], statuses=[b[2] for b in ordered], lease_seconds=lease_seconds
    )
    return {row["job_id"]: Told(**row) async for row in rows}


async def lock_held(connection: Connection, claims: Collection[tuple[int, UUID]]) -> dict[tuple[int, UUID], Held]:
    """Locks, of the (job_id, claim_id) named, the jobs that the claim still holds under a lease."""
    ordered = sorted(claims)
    rows = sql.lock_held(connection, job_ids=[job_id for job_id, _ in ordered], claim_ids=[claim_id for _, claim_id in ordered])
    return {(row["job_id"], row["claim_id"]): _held(row) async for row in rows}


async def lock(connection: Connection, job_ids: Collection[int], statuses: Collection[JobStatus]) -> list[Held]:
    """Locks, of the jobs named, those in one of these statuses."""
    return [Held(**row) async for row in sql.lock(connection, job_ids=sorted(job_ids), statuses=[str(s) for s in statuses])]


async def lock_of_task(connection: Connection, task_id: int, statuses: Collection[JobStatus], n: int) -> list[Held]:
    """Locks up to n jobs of a task in one of these statuses."""
    return [Held(**row) async for row in sql.lock_of_task(connection, task_id=task_id, statuses=[str(s) for s in statuses], n=n)]


async def lock_expired(connection: Connection, n: int) -> list[Held]:
    """Locks up to n jobs whose lease ran out."""
    return [_held(row) async for row in sql.lock_expired(connection, n=n)]


async def lock_orphaned(connection: Connection, n: int) -> list[Held]:
    """Locks up to n leased jobs whose worker has ended."""
    return [_held(row) async for row in sql.lock_orphaned(connection, n=n)]


async def end(connection: Connection, endings: Sequence[Ending], who: str) -> None:
    """Ends locked jobs: hot rows out; archive rows and log in; their inputs, outputs and counters follow; aggregate is asked to look."""
    if not endings:
        return
    ordered = sorted(endings, key=lambda ending: ending.job.job_id)
    await _end_rows(connection, ordered, who)
    finished = [e.job.job_id for e in ordered if e.status == JobStatus.FINISHED]
    if len(finished) < len(ordered):
        await sql.settle_outputs(connection, job_ids=[e.job.job_id for e in ordered if e.status != JobStatus.FINISHED], status="failed")
    if finished:
        await sql.settle_outputs(connection, job_ids=finished, status="finished")
        await _adopt_outputs(connection, [e.job.job_id for e in ordered if e.event == JobEvent.MERGED])
        await release(connection, finished)
    await settle_inputs(connection, [_change_of_inputs(e) for e in ordered])
    await tasks.touch(connection, {e.job.task_id for e in ordered})


async def _adopt_outputs(connection: Connection, job_ids: Sequence[int]) -> None:
    """Moves files that were kept aside while their jobs waited for a merge to the datasets that take them."""
    if job_ids:
        await sql.adopt_outputs(connection, job_ids=list(job_ids))


def _change_of_inputs(ending: Ending) -> tuple[int, str, str, bool, bool]:
    """What `settle_inputs` is told: a cancelled job's units are not tried again, those of a failed one as its outcome says."""
    job_id, status = ending.job.job_id, ending.status
    if status == JobStatus.FINISHED:
        return job_id, "finished", "finished", False, False
    if status == JobStatus.CANCELLED:
        return job_id, "cancelled", "cancelled", False, True
    return job_id, "failed", "failed", status == JobStatus.FAILED, not ending.outcome.retryable


async def _end_rows(connection: Connection, ordered: Sequence[Ending], who: str) -> None:
    rows = sql.end_jobs(
        connection,
        job_ids=[e.job.job_id for e in ordered],
        events=[str(e.event) for e in ordered],
        statuses=[str(e.status) for e in ordered],
        domains=[str(e.outcome.domain) for e in ordered],
        codes=[int(e.outcome.code) for e in ordered],
        exit_codes=[e.outcome.exit_code for e in ordered],
        exit_signals=[e.outcome.signal for e in ordered],
        messages=[e.outcome.message for e in ordered],
        retryables=[e.outcome.retryable for e in ordered],
        starts=[e.usage.started_at for e in ordered],
        walls=[e.usage.wall_seconds for e in ordered],
        cpus=[e.usage.cpu_seconds for e in ordered],
        rsses=[e.usage.max_rss_mb for e in ordered],
        who=who,
    )
    if len([row async for row in rows]) != len(ordered):
        raise Conflict("a job to be ended was not locked by who ends it", code="job.not_held")


async def settle_inputs(connection: Connection, changes: Sequence[tuple[int, str, str, bool, bool]]) -> None:
    """Lets the inputs of jobs follow: (job_id, status of the job's file, status of the unit, whether it failed, whether for good)."""
    ordered = sorted(changes)
    rows = sql.settle_inputs(
        connection,
        job_ids=[c[0] for c in ordered],
        file_statuses=[c[1] for c in ordered],
        unit_statuses=[c[2] for c in ordered],
        are_failed=[c[3] for c in ordered],
        are_final=[c[4] for c in ordered],
    )
    async for _row in rows:
        pass


async def hold_for_merge(connection: Connection, held: Sequence[tuple[Held, Usage]]) -> None:
    """Keeps run jobs hot in status merging, without a lease, with what they used kept aside; their units are merging."""
    ordered = sorted(held, key=lambda pair: pair[0].job_id)
    await sql.hold_for_merge(
        connection,
        job_ids=[job.job_id for job, _ in ordered],
        starts=[usage.started_at for _, usage in ordered],
        walls=[usage.wall_seconds for _, usage in ordered],
        cpus=[usage.cpu_seconds for _, usage in ordered],
        rsses=[usage.max_rss_mb for _, usage in ordered],
    )
    await settle_inputs(connection, [(job.job_id, "merging", "merging", False, False) for job, _ in ordered])
    await tasks.touch(connection, {job.task_id for job, _ in ordered})


async def expected_outputs(connection: Connection, job_ids: Collection[int]) -> dict[int, list[Expected]]:
    """Returns what jobs were told to write."""
    found: dict[int, list[Expected]] = {job_id: [] for job_id in job_ids}
    async for row in sql.expected_outputs(connection, job_ids=list(job_ids)):
        found[row["job_id"]].append(Expected(**row))
    return found


async def bind_outputs(connection: Connection, written: Sequence[tuple[int, int, int, str]]) -> None:
    """Keeps which catalogue file each output became: (job_id, n, file_id, status)."""
    ordered = sorted(written)
    await sql.bind_outputs(
        connection, job_ids=[w[0] for w in ordered], ns=[w[1] for w in ordered], file_ids=[w[2] for w in ordered], statuses=[w[3] for w in ordered]
    )


async def write_endpoints(connection: Connection, queue_ids: Collection[int]) -> dict[int, int]:
    """Returns the endpoint that each queue writes to."""
    return {row["queue_id"]: row["endpoint_id"] async for row in sql.write_endpoint(connection, queue_ids=list(queue_ids))}


async def known(connection: Connection, job_ids: Collection[int]) -> dict[int, Known]:
    """Returns what is known of jobs that are not leased any more."""
    return {row["job_id"]: Known(**row) async for row in sql.known(connection, job_ids=list(job_ids))}


async def order_kill(connection: Connection, job_ids: Collection[int], reason: str, asked_by: int | None) -> None:
    """Lets the next heartbeat of each job carry back that it is to stop."""
    await sql.order_kill(connection, job_ids=sorted(job_ids), reason=reason, asked_by=asked_by)


async def extend_leases(connection: Connection, seconds: float) -> int:
    """Gives every lease a full period from now; returns how many."""
    return int(await sql.extend_leases(connection, seconds=seconds))


async def get(connection: Connection, job_id: int) -> Job | None:
    """Returns a job by id, hot or ended."""
    row = await sql.job(connection, job_id=job_id)
    return row and Job(**row)


async def release(connection: Connection, job_ids: Collection[int]) -> list[int]:
    """Lets the successors of finished jobs wait for one less; returns those that wait for nothing any more."""
    return [row["job_id"] async for row in sql.release(connection, job_ids=list(job_ids))]


async def highest_id(connection: Connection) -> int:
    """Returns the last job id given out."""
    return int(await sql.highest_id(connection))


def _held(row: Any) -> Held:
    return Held(**{name: row[name] for name in Held.__dataclass_fields__ if name in row.keys()})  # noqa: SIM118  (a Record iterates over values)
