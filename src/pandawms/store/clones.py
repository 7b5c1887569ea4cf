"""Clones: groups of jobs over the same inputs, of which one counts."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from pandawms.domain.clone import ANOTHER_WON
from pandawms.store.database import Connection
from pandawms.store.leases import Key
from pandawms.store.sql import load

sql = load("clones")


class NewGroup(NamedTuple):
    """A group to be made: its copies in order, of which the first has the units, and their attempt."""

    job_ids: Sequence[int]
    attempt: int


class Group(NamedTuple):
    """A group as it is: when it is decided which copy counts, where the group stands, and which job answers for the units."""

    group_id: int
    mode: str
    status: str
    lead_job_id: int


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of a job, with where its group stands; `won_at` is when one of them, the lead, has won: never where all of them failed."""

    job_id: int
    copy: int
    queue: str | None
    status: str | None
    mode: str
    group_status: str
    lead_job_id: int
    won_at: datetime | None

    @property
    def winner_job_id(self) -> int | None:
        """The copy that has won, whatever became of it then; None while there is none, and for good where the last copy failed before one had won."""
        return None if self.won_at is None else self.lead_job_id


async def add(connection: Connection, task_id: int, mode: str, groups: Sequence[NewGroup]) -> None:
    """Makes groups of jobs that the caller has made in this transaction, the first of each with its inputs; the others get the same inputs."""
    group_ids = list(await sql.next_ids(connection, n=len(groups)))
    await sql.add_groups(
        connection, group_ids=group_ids, task_id=task_id, mode=mode, attempts=[g.attempt for g in groups], counts=[len(g.job_ids) for g in groups],
        leads=[g.job_ids[0] for g in groups],
    )  # fmt: skip
    members = [(job_id, group_id, n) for group_id, g in zip(group_ids, groups, strict=True) for n, job_id in enumerate(g.job_ids, 1)]
    job_ids, of_groups, copies = zip(*members, strict=True)
    await sql.join_hot(connection, job_ids=job_ids, group_ids=of_groups)
    await sql.join_specs(connection, job_ids=job_ids, group_ids=of_groups, copies=copies, low=min(job_ids), high=max(job_ids))
    leads = [g.job_ids[0] for g in groups for _ in g.job_ids[1:]]
    await sql.copy_inputs(connection, from_ids=leads, to_ids=[job_id for g in groups for job_id in g.job_ids[1:]], low=min(leads), high=max(leads))


async def pass_gates(connection: Connection, wanted: Mapping[Key, str]) -> dict[int, bool]:
    """Lets copies go on to where they want to be (running or stageout), or not; safe to repeat. Returns which of those that are still their claim's may."""
    ordered = sorted(wanted)
    rows = sql.pass_gates(
        connection,
        job_ids=[key[0] for key in ordered],
        claim_ids=[key[1] for key in ordered],
        statuses=[wanted[key] for key in ordered],
        lost_reason=ANOTHER_WON,
    )
    return {row["job_id"]: row["passes"] async for row in rows}


async def unswept(connection: Connection, n: int) -> list[int]:
    """Returns up to n groups whose copies that lost are still to be stopped."""
    return [row["clone_group_id"] async for row in sql.unswept(connection, n=n)]


async def copies(connection: Connection, group_ids: Collection[int]) -> dict[int, int]:
    """Returns the copies of groups that have not ended, each with its group."""
    return {row["job_id"]: row["group_id"] async for row in sql.copies(connection, group_ids=list(group_ids))}


async def hold(connection: Connection, group_ids: Collection[int]) -> dict[int, Group]:
    """Returns groups as they are, for the caller alone until its transaction ends."""
    return {row["group_id"]: Group(**row) async for row in sql.hold(connection, group_ids=sorted(group_ids))}


async def sweep(connection: Connection, group_ids: Collection[int]) -> None:
    """Notes that the copies that lost in these groups were looked at."""
    await sql.sweep(connection, group_ids=sorted(group_ids))


async def of_job(connection: Connection, job_id: int) -> tuple[Copy, ...]:
    """Returns all copies of a job, itself among them; nothing when it has none."""
    return tuple([Copy(**row) async for row in sql.of_job(connection, job_id=job_id)])
