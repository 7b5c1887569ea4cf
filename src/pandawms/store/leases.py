"""Leases: jobs in the hands of pilots, from the claim to the moment before their end. Sets only: every function is one statement."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple
from uuid import UUID

from pandawms.domain.job import JobStatus
from pandawms.store.database import Connection
from pandawms.store.sql import load

sql = load("leases")

Key = tuple[int, str, int]
"""A job, the claim that has it (32 hexadecimal digits) and the queue of its pilot's token: of several that name a job only one can hold it."""


class Given(NamedTuple):
    """A job that a claim got."""

    job_id: int
    claim_id: str
    task_id: int
    queue_id: int
    requirement_id: int
    attempt: int
    share_id: int


class Group(NamedTuple):
    """Claims that one slot size of one queue answers: `wanted` has (claim, how many of its jobs came before, worker) for each job wanted."""

    queue_id: int
    requirement_ids: Sequence[int]
    wanted: Sequence[tuple[str, int, int | None]]


class RequirementRow(NamedTuple):
    """A class of jobs: what each of them needs."""

    requirement_id: int
    cores: int
    memory_mb: int
    disk_mb: int
    wall_seconds: int
    architecture: str
    gpus: int
    nodes: int
    gpu_model: str
    gpu_memory_mb: int


class Told(NamedTuple):
    """The answer to a heartbeat of a job that is still its claim's; `verdict` is None when it goes on. `is_copy` when another copy may do its work."""

    verdict: str | None
    reason: str | None
    is_copy: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """A job that the caller has locked; `is_killed` when its pilot was to be told to stop it (looked up for lost jobs only)."""

    job_id: int
    task_id: int
    status: str
    queue_id: int
    attempt: int
    kind: str
    is_killed: bool = False


class Facts(NamedTuple):
    """What never changes about a job and a report must know; `endpoint_id` is where its outputs were told to go, `n_inputs` how many files come before them,
    `copy` which of several copies it is (None: it has none)."""

    job_id: int
    task_id: int
    version: int
    kind: str
    attempt: int
    serial: int
    endpoint_id: int | None
    n_inputs: int
    copy: int | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a job that is not leased (any more)."""

    job_id: int
    claim_id: UUID | None
    status: str
    error_domain: str
    error_code: int


async def requirements(connection: Connection) -> list[RequirementRow]:
    """Returns all classes of jobs."""
    return [RequirementRow(*row) async for row in sql.requirements(connection)]


async def claimed(connection: Connection, claim_ids: Collection[str]) -> list[Given]:
    """Returns the jobs that are leased under these claims already."""
    return [_given(row) async for row in sql.claimed(connection, claim_ids=list(claim_ids))]


async def claim(connection: Connection, groups: Sequence[Group], share_ids: Sequence[int], lease_seconds: float, spare: int) -> list[Given]:
    """Gives ready jobs to claims, as far as there are any: to each group the first of its queue that fit its slot, least served share first.

    `spare` is how many rows beyond those wanted are read, in place of rows that another server takes at the same time. Raises asyncpg's
    UniqueViolationError, and gives nothing, when a claim has jobs already.
    """
    wanted = [each for group in groups for each in group.wanted]
    ends = [0]
    for group in groups:
        ends.append(ends[-1] + len(group.wanted))
    rows = sql.claim(
        connection, queue_ids=[g.queue_id for g in groups], slots=list(range(len(groups))), counts=[end - start for start, end in pairwise(ends)],
        starts=ends[:-1], class_slots=[n for n, g in enumerate(groups) for _ in g.requirement_ids], classes=[r for g in groups for r in g.requirement_ids],
        share_ids=share_ids, claim_ids=[w[0] for w in wanted], claim_ns=[w[1] for w in wanted], worker_ids=[w[2] for w in wanted], spare=spare,
        lease_seconds=lease_seconds,
    )  # fmt: skip
    return [_given(row) async for row in rows]


async def beat(connection: Connection, statuses: Mapping[Key, str], lease_seconds: float) -> dict[Key, Told]:
    """Renews leases, each with the status that its pilot's phase stands for, and returns what each job that is still its claim's is told."""
    ordered = sorted(statuses)
    job_ids, claim_ids, queue_ids = zip(*ordered, strict=True)
    rows = sql.beat(
        connection, job_ids=job_ids, claim_ids=claim_ids, statuses=[statuses[key] for key in ordered], queue_ids=queue_ids, lease_seconds=lease_seconds
    )
    return {(job_id, claim_id.hex, queue_id): Told(verdict, reason, is_copy) async for job_id, claim_id, queue_id, verdict, reason, is_copy in rows}


async def elsewhere(connection: Connection, job_ids: Collection[int], queue_id: int) -> list[int]:
    """Returns those of the jobs that belong to another queue."""
    return [row["job_id"] async for row in sql.elsewhere(connection, job_ids=list(job_ids), queue_id=queue_id)]


async def facts(connection: Connection, job_ids: Collection[int]) -> list[Facts]:
    """Returns the facts of those of the jobs that exist."""
    return [Facts(*row) async for row in sql.facts(connection, job_ids=list(job_ids), low=min(job_ids), high=max(job_ids))]


async def lock(connection: Connection, job_ids: Collection[int], statuses: Collection[JobStatus]) -> list[Held]:
    """Locks, of the jobs named, those in one of these statuses."""
    return [Held(*row) async for row in sql.lock(connection, job_ids=sorted(job_ids), statuses=[str(s) for s in statuses])]


async def lock_of_task(connection: Connection, task_id: int, statuses: Collection[JobStatus], n: int) -> list[Held]:
    """Locks up to n jobs of a task in one of these statuses, but not those that wait for a merge job which has not ended."""
    return [Held(*row) async for row in sql.lock_of_task(connection, task_id=task_id, statuses=[str(s) for s in statuses], n=n)]


async def lock_expired(connection: Connection, n: int) -> list[Held]:
    """Locks up to n jobs whose lease ran out."""
    return [Held(*row) async for row in sql.lock_expired(connection, n=n)]


async def lock_orphaned(connection: Connection, n: int) -> list[Held]:
    """Locks up to n leased jobs whose worker has ended."""
    return [Held(*row) async for row in sql.lock_orphaned(connection, n=n)]


async def known(connection: Connection, job_ids: Collection[int]) -> dict[int, Known]:
    """Returns what is known of jobs that are not leased any more."""
    return {row["job_id"]: Known(*row) async for row in sql.known(connection, job_ids=list(job_ids))}


async def order_kill(connection: Connection, job_ids: Collection[int], reason: str, asked_by: int | None) -> None:
    """Lets the next heartbeat of each job carry back that it is to stop."""
    await sql.order_kill(connection, job_ids=sorted(job_ids), reason=reason, asked_by=asked_by)


async def extend_leases(connection: Connection, seconds: float) -> int:
    """Gives every lease a full period from now; returns how many."""
    return int(await sql.extend_leases(connection, seconds=seconds))


def _given(row: Any) -> Given:
    job_id, claim_id, *rest = row
    return Given(job_id, claim_id.hex, *rest)
