"""Jobs of several payloads: their units, the accounts that pilots give of them, and what was taken."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from pandawms.domain.outcome import Outcome
from pandawms.store.database import Connection
from pandawms.store.endings import OUTPUTS, Written
from pandawms.store.leases import Key
from pandawms.store.sql import load

sql = load("payloads")


class PayloadUnit(NamedTuple):
    """A unit of a job of several payloads: the n-th input of the job, its own number and attempt, its events, and its file (None: it is none)."""

    job_id: int
    n: int
    task_file_id: int
    number: int
    attempt: int
    first_event: int | None
    n_events: int | None
    stream: str
    scope: str | None
    name: str | None
    size_bytes: int | None
    adler32: bytes | None
    guid: UUID | None
    events: int | None


class Account(NamedTuple):
    """What became of a unit in its job; `awaits_merge` when it is finished only if the merge of its outputs succeeds."""

    task_file_id: int
    n: int
    task_id: int
    attempt: int
    status: str
    awaits_merge: bool
    domain: str
    code: int
    exit_code: int | None
    exit_signal: int | None
    message: str
    is_retryable: bool
    wall_seconds: float | None
    cpu_seconds: float | None
    max_rss_mb: int | None


@dataclass(frozen=True, slots=True)
class Taking:
    """Accounts of one job, each with the outputs that its payload wrote; `units` are those units of the job that are to be locked besides."""

    accounts: Sequence[tuple[Account, Sequence[Written]]]
    units: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class PayloadRow:
    """A payload of a job; what it used and how it ended is None while nobody has told."""

    n: int
    unit_id: int
    number: int
    file: str | None
    first_event: int | None
    n_events: int | None
    last_job_id: int | None
    attempt: int | None
    status: str | None
    error_domain: str | None
    error_code: int | None
    exit_code: int | None
    exit_signal: int | None
    message: str | None
    is_retryable: bool | None
    wall_seconds: float | None
    cpu_seconds: float | None
    max_rss_mb: int | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class FailedPayload:
    """How a payload failed, where, and what its job had been given."""

    job_id: int
    task_file_id: int
    n: int
    outcome: Outcome
    max_rss_mb: int | None
    attempt: int
    queue_id: int
    queue: str
    cores: int
    memory_mb: int
    wall_seconds: int


async def units(connection: Connection, job_ids: Collection[int]) -> dict[int, list[PayloadUnit]]:
    """Returns the units of jobs of several payloads, in order."""
    found: dict[int, list[PayloadUnit]] = {job_id: [] for job_id in job_ids}
    if job_ids:
        async for row in sql.units(connection, job_ids=list(job_ids), low=min(job_ids), high=max(job_ids)):
            found[row["job_id"]].append(PayloadUnit(*row))
    return found


async def take(connection: Connection, takings: Mapping[Key, Taking]) -> list[Key]:
    """Takes accounts of payloads of those jobs that their claims hold, with outputs, units and counters, and returns these jobs.

    What is known already is passed over. The jobs and all their units that are named stay locked until the caller's transaction ends.
    """
    ordered = sorted(takings)
    if not ordered:
        return []
    job_ids, claim_ids, queue_ids = zip(*ordered, strict=True)
    rows = [(place, account, written) for place, key in enumerate(ordered, 1) for account, written in takings[key].accounts]
    accounts = list(zip(*[account for _, account, _ in rows], strict=True)) or [()] * len(Account._fields)
    given = dict(zip(Account._fields, accounts, strict=True))
    outputs = [(place, output) for place, (_, _, written) in enumerate(rows, 1) for output in written]
    columns = zip(*[output for _, output in outputs], strict=True) if outputs else [None] * len(OUTPUTS)
    held = await sql.take(
        connection, job_ids=job_ids, claim_ids=claim_ids, queue_ids=queue_ids, all_units=[unit for key in ordered for unit in takings[key].units],
        of=[place for place, _, _ in rows], units=given["task_file_id"], ns=given["n"], tasks=given["task_id"], attempts=given["attempt"],
        statuses=given["status"], waits=given["awaits_merge"], domains=given["domain"], codes=given["code"], exit_codes=given["exit_code"],
        exit_signals=given["exit_signal"], messages=given["message"], retryables=given["is_retryable"], walls=given["wall_seconds"],
        cpus=given["cpu_seconds"], rsses=given["max_rss_mb"], out_of=[place for place, _ in outputs] or None,
        **{f"out_{name}": values for name, values in zip(OUTPUTS, columns, strict=True)},
    )  # fmt: skip
    return [ordered[place - 1] for place in held]


async def finished(connection: Connection, job_ids: Collection[int]) -> dict[int, tuple[int, ...]]:
    """Returns which payloads of jobs finished and were taken, by their places."""
    found: dict[int, tuple[int, ...]] = dict.fromkeys(job_ids, ())
    if job_ids:
        async for row in sql.finished(connection, job_ids=list(job_ids), low=min(job_ids), high=max(job_ids)):
            found[row["job_id"]] += (row["n"],)
    return found


async def of_job(connection: Connection, job_id: int) -> list[PayloadRow]:
    """Returns the payloads of a job in order."""
    return [PayloadRow(**row) async for row in sql.of_job(connection, job_id=job_id)]


async def failures(connection: Connection, wanted: Sequence[tuple[int, int]]) -> dict[tuple[int, int], FailedPayload]:
    """Returns how the payloads of (job, unit) failed; a pair is not among them when it was not its payload that failed."""
    if not wanted:
        return {}
    job_ids, unit_ids = zip(*wanted, strict=True)
    rows = sql.failures(connection, job_ids=job_ids, unit_ids=unit_ids, low=min(job_ids), high=max(job_ids))
    return {(row["job_id"], row["task_file_id"]): _failed(row) async for row in rows}


def _failed(row: Any) -> FailedPayload:
    outcome = Outcome(row["error_domain"], row["error_code"], row["exit_code"], row["exit_signal"], row["message"], row["is_retryable"])
    return FailedPayload(
        row["job_id"], row["task_file_id"], row["n"], outcome, row["max_rss_mb"], row["attempt"], row["queue_id"], row["queue"], row["cores"],
        row["memory_mb"], row["wall_seconds"],
    )  # fmt: skip
