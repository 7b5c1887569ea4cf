"""How jobs end: hot row out; archive row, files, counters and log in, all in the caller's transaction."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from pandawms.domain.errors import Conflict
from pandawms.domain.job import JOB, JobEvent, JobStatus
from pandawms.domain.outcome import Outcome
from pandawms.store import tasks
from pandawms.store.database import Connection
from pandawms.store.leases import Held
from pandawms.store.sql import load

sql = load("endings")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a payload used, as its pilot measured it."""

    started_at: datetime | None = None
    wall_seconds: float | None = None
    cpu_seconds: float | None = None
    max_rss_mb: int | None = None


NOT_MEASURED = Usage()


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job ends: by which event, in which status, with what outcome, having used what; `ending` makes it."""

    job: Held
    event: JobEvent
    status: JobStatus
    outcome: Outcome
    usage: Usage = NOT_MEASURED


class Written(NamedTuple):
    """An output that was written: the n-th file of its job, the dataset that takes it (for the task, and now), where it is and what it is."""

    job_id: int
    n: int
    task_id: int
    task_dataset_id: int
    dataset_id: int
    endpoint_id: int
    scope: str
    name: str
    guid: str
    size_bytes: int
    adler32: bytes
    events: int | None
    status: str


def ending(job: Held, event: JobEvent, outcome: Outcome, usage: Usage = NOT_MEASURED) -> Ending:
    """Returns how a job ends. Raises Conflict when the table of states has no such move."""
    return Ending(job, event, JOB.next_status(JobStatus(job.status), event), outcome, usage)


async def keep_outputs(connection: Connection, written: Sequence[Written]) -> None:
    """Puts written outputs into the catalogue and notes them with their jobs."""
    if not written:
        return
    job_ids, ns, task_ids, task_dataset_ids, dataset_ids, endpoint_ids, scopes, names, guids, sizes, adlers, events, statuses = zip(*written, strict=True)
    await sql.keep_outputs(
        connection, job_ids=job_ids, ns=ns, task_ids=task_ids, task_dataset_ids=task_dataset_ids, dataset_ids=dataset_ids, endpoint_ids=endpoint_ids,
        scopes=scopes, names=names, guids=guids, sizes=sizes, adlers=adlers, events=events, statuses=statuses,
    )  # fmt: skip


async def end(connection: Connection, endings: Sequence[Ending], who: str, *, with_successors: bool = True) -> None:
    """Ends locked jobs: hot rows out; archive rows and log in; their units, outputs and counters follow; aggregate is asked to look.

    `with_successors` says whether any job may wait for one of them. Raises Conflict when one of them was not hot.
    """
    if not endings:
        return
    ordered = sorted(endings, key=lambda each: each.job.job_id)
    await _end_rows(connection, ordered, who)
    await _settle_outputs(connection, [e for e in ordered if e.job.status == JobStatus.MERGING])
    finished = [e.job.job_id for e in ordered if e.status == JobStatus.FINISHED]
    if finished and with_successors:
        await release(connection, finished)
    await _settle_units(connection, [_change_of_units(e) for e in ordered])


async def _settle_outputs(connection: Connection, merged: Sequence[Ending]) -> None:
    """Outputs that waited for a merge are settled with their jobs; those that were kept aside move to the datasets that take them."""
    for status in {e.status for e in merged}:
        word = "finished" if status == JobStatus.FINISHED else "failed"
        await sql.settle_outputs(connection, job_ids=[e.job.job_id for e in merged if e.status == status], status=word)
    adopted = [e.job.job_id for e in merged if e.event == JobEvent.MERGED]
    if adopted:
        await sql.adopt_outputs(connection, job_ids=adopted)


def _change_of_units(ending: Ending) -> tuple[int, str, bool, bool]:
    """What `settle_units` is told: a cancelled job's units are not tried again, those of a failed one as its outcome says."""
    job_id, status = ending.job.job_id, ending.status
    if status is JobStatus.FINISHED:
        return job_id, "finished", False, False
    if status is JobStatus.CANCELLED:
        return job_id, "cancelled", False, True
    return job_id, "failed", status is JobStatus.FAILED, not ending.outcome.retryable


async def _end_rows(connection: Connection, ordered: Sequence[Ending], who: str) -> None:
    outcomes, usages = [e.outcome for e in ordered], [e.usage for e in ordered]
    ended = await sql.end_jobs(
        connection,
        job_ids=[e.job.job_id for e in ordered],
        events=[e.event.value for e in ordered],
        statuses=[e.status.value for e in ordered],
        domains=[str(o.domain) for o in outcomes],
        codes=[int(o.code) for o in outcomes],
        exit_codes=[o.exit_code for o in outcomes],
        exit_signals=[o.signal for o in outcomes],
        messages=[o.message for o in outcomes],
        retryables=[o.retryable for o in outcomes],
        starts=[u.started_at for u in usages],
        walls=[u.wall_seconds for u in usages],
        cpus=[u.cpu_seconds for u in usages],
        rsses=[u.max_rss_mb for u in usages],
        who=who,
    )
    if ended != len(ordered):
        raise Conflict("a job to be ended was not locked by who ends it", code="job.not_held")


async def _settle_units(connection: Connection, changes: Sequence[tuple[int, str, bool, bool]]) -> None:
    """Lets the units of jobs follow: (job_id, status of the unit, whether it failed, whether for good), in the order of job ids."""
    job_ids, statuses, are_failed, are_final = zip(*changes, strict=True)
    await sql.settle_units(connection, job_ids=job_ids, unit_statuses=statuses, are_failed=are_failed, are_final=are_final, low=job_ids[0], high=job_ids[-1])


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
    await _settle_units(connection, [(job.job_id, "merging", False, False) for job, _ in ordered])
    await tasks.touch(connection, {job.task_id for job, _ in ordered})


async def release(connection: Connection, job_ids: Collection[int]) -> list[int]:
    """Lets the successors of finished jobs wait for one less; returns those that wait for nothing any more."""
    return [row["job_id"] async for row in sql.release(connection, job_ids=list(job_ids))]
