"""How jobs end: hot row out; archive row, files, counters and log in, all by one call of the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from pandawms.domain.errors import Conflict
from pandawms.domain.job import JOB, JobEvent, JobStatus
from pandawms.domain.outcome import Outcome
from pandawms.store import moving
from pandawms.store.database import Connection
from pandawms.store.leases import Held, Key
from pandawms.store.moving import Stray
from pandawms.store.sql import load

sql = load("endings")


SETTLED = {JobEvent.MERGED: "finished", JobEvent.MERGE_FAILED: "notmerged"}
"""What becomes of outputs that waited for a merge, when it is not that they failed with their job."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a payload used, as its pilot measured it."""

    started_at: datetime | None = None
    wall_seconds: float | None = None
    cpu_seconds: float | None = None
    max_rss_mb: int | None = None
    disk_mb: int | None = None


NOT_MEASURED = Usage()


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job ends (or, with event `merge`, is kept until its outputs are merged): in which status, with what outcome, having used what.

    `has_kept_outputs` when its outputs waited for a merge.
    """

    job_id: int
    event: JobEvent
    status: JobStatus
    outcome: Outcome
    usage: Usage = NOT_MEASURED
    has_kept_outputs: bool = False


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


OUTPUTS = ("job_ids", "ns", "task_ids", "task_dataset_ids", "dataset_ids", "endpoint_ids", "scopes", "names", "guids", "sizes", "adlers", "events", "statuses")
"""What the query calls the fields of `Written`, in order."""


def ending(job: Held, event: JobEvent, outcome: Outcome, usage: Usage = NOT_MEASURED) -> Ending:
    """Returns how a job ends. Raises Conflict when the table of states has no such move."""
    status = JobStatus(job.status)
    return Ending(job.job_id, event, JOB.next_status(status, event), outcome, usage, status is JobStatus.MERGING)


async def end(connection: Connection, endings: Sequence[Ending], who: str) -> None:
    """Ends jobs that the caller has locked; their units, outputs, successors and counters follow, and aggregate is asked to look.

    Raises Conflict, and the caller's transaction must not go on, when one of them was not hot.
    """
    if not endings:
        return
    await _settle_outputs(connection, [each for each in endings if each.has_kept_outputs])
    ended = await _end(connection, sorted(endings, key=lambda each: each.job_id), who)
    if len(ended) != len(endings):
        raise Conflict("a job to be ended was not locked by who ends it", code="job.not_held")


async def end_leased(
    connection: Connection, endings: Mapping[Key, Ending], written: Mapping[Key, Sequence[Written]], who: str, wakes: Sequence[str] = ()
) -> set[Key]:
    """Ends those of the jobs that their claim still holds under a lease, and keeps the outputs that they wrote; returns which.

    Where another copy of a job has won it is closed, nothing that it wrote is kept, and it is not among those that are returned.
    One statement, so that outside a transaction it is one by itself; the stages named in `wakes` are told when it ended any.
    """
    ordered = sorted(endings)
    _, claim_ids, queue_ids = zip(*ordered, strict=True)
    of: list[int] = []
    outputs: list[Written] = []
    for place, key in enumerate(ordered, 1):
        of += [place] * len(written.get(key, ()))
        outputs += written.get(key, ())
    ended = await _end(connection, [endings[key] for key in ordered], who, outputs, out_of=of, claim_ids=claim_ids, queue_ids=queue_ids, wakes=wakes or None)
    return {ordered[place - 1] for place in ended}


async def _end(connection: Connection, ordered: Sequence[Ending], who: str, written: Sequence[Written] = (), **given: Any) -> list[int]:
    """Calls the function of the database that ends jobs, here in the order of their ids; returns the places, from 1, of those that ended."""
    outcomes, usages, changes = [e.outcome for e in ordered], [e.usage for e in ordered], [_change_of_units(e) for e in ordered]
    outputs = zip(*written, strict=True) if written else [None] * len(OUTPUTS)
    ended: list[int] = await sql.end_jobs(
        connection,
        low=ordered[0].job_id,
        high=ordered[-1].job_id,
        who=who,
        job_ids=[e.job_id for e in ordered],
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
        disks=[u.disk_mb for u in usages],
        unit_statuses=[status for status, _, _ in changes],
        are_failed=[is_failed for _, is_failed, _ in changes],
        are_final=[is_final for _, _, is_final in changes],
        **{f"out_{name}": values for name, values in zip(OUTPUTS, outputs, strict=True)},
        **{"claim_ids": None, "queue_ids": None, "wakes": None, "out_of": None} | given,
    )
    return ended


async def _settle_outputs(connection: Connection, merged: Sequence[Ending]) -> None:
    """Outputs that waited for a merge are settled with their jobs; those that were kept aside move to the datasets that take them."""
    for event in {e.event for e in merged}:
        job_ids = [e.job_id for e in merged if e.event is event]
        await sql.settle_outputs(connection, job_ids=job_ids, status=SETTLED.get(event, "failed"))
        if event is JobEvent.MERGED:
            await _adopt_outputs(connection, job_ids)


async def _adopt_outputs(connection: Connection, job_ids: Sequence[int]) -> None:
    """Outputs that are in another dataset than the one that takes them move there. Aggregate alone follows a task, so nobody else moves its files."""
    await moving.move(connection, [Stray(**row) async for row in sql.stray_outputs(connection, job_ids=job_ids)])


def _change_of_units(ending: Ending) -> tuple[str, bool, bool]:
    """What becomes of the units of a job: their status, whether they failed, and whether for good: a cancelled job's units are not tried again, those of a
    failed one as its outcome says."""
    if ending.status is JobStatus.FINISHED:
        return "finished", False, False
    if ending.status is JobStatus.MERGING:
        return "merging", False, False
    if ending.status is JobStatus.CANCELLED:
        return "cancelled", False, True
    return "failed", ending.status is JobStatus.FAILED, not ending.outcome.retryable
