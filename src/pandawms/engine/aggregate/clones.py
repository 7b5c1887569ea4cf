"""Stops copies that lost: those that wait are closed, the pilots of those that run are told."""

from collections.abc import Mapping, Sequence

from pandawms.domain.clone import ANOTHER_WON, CloneMode, CloneStatus
from pandawms.domain.codes import Code
from pandawms.domain.job import LEASED, QUEUED, JobEvent
from pandawms.domain.outcome import outcome
from pandawms.domain.stages import Stage
from pandawms.store import clones, endings, leases
from pandawms.store.clones import Group
from pandawms.store.database import Pool
from pandawms.store.leases import Held

WHO = str(Stage.AGGREGATE)
GROUPS_A_STEP = 1_000


async def step(pool: Pool) -> int:
    """Stops the copies that lost since the last step; returns of how many groups. Locks jobs, then groups, and reads these again once it has both."""
    async with pool.acquire() as connection:
        group_ids = await clones.unswept(connection, GROUPS_A_STEP)
        if not group_ids:
            return 0
        async with connection.transaction():
            group_of = await clones.copies(connection, group_ids)
            held = await leases.lock(connection, group_of, QUEUED | LEASED) if group_of else []
            groups = await clones.hold(connection, group_ids)
            closed, told = fates(held, {job_id: groups[group_id] for job_id, group_id in group_of.items()})
            lost = outcome(Code.ANOTHER_COPY_WON, ANOTHER_WON)
            await endings.end(connection, [endings.ending(job, JobEvent.CLOSE, lost) for job in closed], WHO)
            if told:
                await leases.order_kill(connection, [job.job_id for job in told], ANOTHER_WON, None)
            await clones.sweep(connection, [group_id for group_id, group in groups.items() if group.status != CloneStatus.OPEN])
    return len(group_ids)


def fates(held: Sequence[Held], group_of: Mapping[int, Group]) -> tuple[list[Held], list[Held]]:
    """Returns which copies are closed, and the pilots of which are told to stop.

    Where the outputs are stored once, copies that run go on until the winner has stored them: should it fail, they are what is left.
    """
    closed, told = [], []
    for job in held:
        group = group_of[job.job_id]
        if group.status == CloneStatus.OPEN or job.job_id == group.lead_job_id:
            continue
        if job.status in QUEUED:
            closed.append(job)
        elif group.status == CloneStatus.OVER or group.mode == CloneMode.RUN_ONCE:
            told.append(job)
    return closed, told
