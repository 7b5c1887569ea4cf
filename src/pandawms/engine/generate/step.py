"""Makes run jobs from allocations, build jobs for them, and merge jobs from groups, in bulk."""

import asyncio
from contextlib import suppress

from pandawms.domain.errors import Conflict
from pandawms.engine import boundary
from pandawms.engine.generate import building, running
from pandawms.engine.generate import plan as planning
from pandawms.engine.generate.creating import MERGING, WHO
from pandawms.engine.generate.merging import merge
from pandawms.engine.generate.running import Part
from pandawms.engine.services import Services
from pandawms.store import brokerage, builds, merges, tasks
from pandawms.store.database import Pool
from pandawms.wire.checks import decode_document
from pandawms.wire.document_view import primary

PARTS_AT_ONCE = 3
"""Parts of allocations whose jobs are made at the same time, each on a connection of its own: one is planned while PostgreSQL works on two."""


async def step(pool: Pool, services: Services) -> int:
    """Makes builds again for which jobs wait, consumes allocations and mergeable groups; returns how many jobs were made."""
    return await _rebuild(pool, services) + await _from_allocations(pool, services) + await _from_groups(pool, services)


async def _from_allocations(pool: Pool, services: Services) -> int:
    """Reserves parts of allocations one after the other and makes the jobs of a few of them at once: PostgreSQL works on one part while the next is planned."""
    made: list[int] = []
    at_once = asyncio.Semaphore(PARTS_AT_ONCE)

    async def make(part: Part) -> None:
        try:
            made.append(await _make(pool, services, part))
        finally:
            at_once.release()

    async with asyncio.TaskGroup() as parts:
        for _ in range(services.options.tasks_per_step):
            await at_once.acquire()
            part = await _reserve(pool, services)
            if part is None:
                break
            parts.create_task(make(part))
    return sum(made)


async def _reserve(pool: Pool, services: Services) -> Part | None:
    """Takes a part off the heaviest allocation, in a transaction of its own, so that others can take theirs while its jobs are made.

    What is reserved and then not used is lost to the allocation only: its units stay ready, and the broker looks at them again.
    """
    async with pool.acquire() as connection, connection.transaction():
        taken = await brokerage.take(connection)
        if taken is None:
            return None
        task = await tasks.get(connection, taken.task_id)
        assert task is not None, "an allocation has a task"
        document = decode_document(task.document)
        per_job = 1 if primary(document)[1].count is not None else document.split.files_per_job or 1
        n_units = min(taken.quota, planning.most_units(services.options.units_per_step, per_job))
        await brokerage.use(connection, taken.allocation_id, n_units)
        return Part(task, taken.queue_id, n_units)


async def _make(pool: Pool, services: Services, part: Part) -> int:
    """Makes the jobs of a part, all or none; none when the task was shut meanwhile or its jobs cannot be made (which is kept with the task)."""
    made = 0
    with suppress(Conflict):
        async with pool.acquire() as connection, boundary.of_task(connection, WHO, part.task.task_id, passing=(Conflict,)), connection.transaction():
            made = await running.make(connection, services, part)
    return made


async def _rebuild(pool: Pool, services: Services) -> int:
    """Each build in a transaction of its own."""
    made = 0
    async with pool.acquire() as connection:
        for key in await builds.again(connection, MERGING, services.options.tasks_per_step):
            with suppress(Conflict):
                async with boundary.of_task(connection, WHO, key[0], passing=(Conflict,)), connection.transaction():
                    made += await building.again(connection, key)
    return made


async def _from_groups(pool: Pool, services: Services) -> int:
    """Each group in a transaction of its own; one that fails stays as it is and does not stand in the way of the others."""
    made = 0
    async with pool.acquire() as connection:
        for group_id, task_id in await merges.mergeable(connection, MERGING, services.options.tasks_per_step):
            with suppress(Conflict):
                async with boundary.of_task(connection, WHO, task_id, passing=(Conflict,)), connection.transaction():
                    group = await merges.take(connection, group_id)
                    if group is not None:
                        await merge(connection, group)
                        made += 1
    return made
