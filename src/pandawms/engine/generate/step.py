"""Makes run jobs from allocations and merge jobs from groups, in bulk."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from pandawms.domain.errors import Conflict, Unavailable
from pandawms.domain.snapshot import JobKind
from pandawms.domain.stages import Stage
from pandawms.domain.task import TaskEvent, TaskStatus
from pandawms.engine import boundary
from pandawms.engine.generate import plan as planning
from pandawms.engine.requirements import requirement
from pandawms.engine.services import Services
from pandawms.store import brokerage, jobs, merges, tasks, units
from pandawms.store.database import Connection, Pool
from pandawms.store.jobs import NewInput, NewJob
from pandawms.wire.checks import decode_document
from pandawms.wire.task import TaskDocument

WHO = str(Stage.GENERATE)

OPEN = frozenset({TaskStatus.READY, TaskStatus.SCOUTING, TaskStatus.RUNNING})
"""Statuses in which a task may get jobs."""

PARTS_AT_ONCE = 2
"""Parts of allocations whose jobs are made at the same time, each on a connection of its own."""


@dataclass(frozen=True, slots=True)
class Part:
    """Units of a task that may go to a queue, reserved for the caller."""

    task: tasks.Task
    queue_id: int
    n_units: int


async def step(pool: Pool, services: Services) -> int:
    """Consumes allocations and mergeable groups; returns how many jobs were made."""
    return await _from_allocations(pool, services) + await _from_groups(pool, services)


async def _from_allocations(pool: Pool, services: Services) -> int:
    """Reserves parts of allocations one after the other and makes the jobs of a few of them at once: PostgreSQL works on one part while the next is planned."""
    made: list[int] = []
    at_once = asyncio.Semaphore(PARTS_AT_ONCE)

    async def make(part: Part) -> None:
        try:
            made.append(await _make(pool, part))
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
        per_job = (task.document.get("split") or {}).get("files_per_job") or 1
        n_units = min(taken.quota, planning.most_units(services.options.units_per_step, per_job))
        await brokerage.use(connection, taken.allocation_id, n_units)
        return Part(task, taken.queue_id, n_units)


async def _make(pool: Pool, part: Part) -> int:
    """Makes the jobs of a part, all or none; none when the task was shut meanwhile or its jobs cannot be made (which is kept with the task)."""
    made = 0
    with suppress(Conflict):
        async with pool.acquire() as connection, boundary.of_task(connection, WHO, part.task.task_id, passing=(Conflict,)), connection.transaction():
            made = await _consume(connection, part)
    return made


async def _consume(connection: Connection, part: Part) -> int:
    task = part.task
    document = decode_document(task.document)
    found = await units.take_ready(connection, task.task_id, part.n_units)
    is_complete = (await units.ready(connection, [task.task_id], 1))[task.task_id].is_complete
    cut = planning.groups(found, document.split.files_per_job or 1, is_complete=is_complete)
    if not cut:
        return 0
    new, inputs = planning.run_jobs(cut, await jobs.next_ids(connection, len(cut)))
    await _create(connection, task, document, part.queue_id, JobKind.RUN, new, inputs)
    await tasks.move(connection, task.task_id, TaskEvent.START, WHO)
    await _keep_open(connection, task.task_id)
    return len(new)


async def _from_groups(pool: Pool, services: Services) -> int:
    """Each group in a transaction of its own; one that fails stays as it is and does not stand in the way of the others."""
    made = 0
    async with pool.acquire() as connection:
        for group_id, task_id in await merges.mergeable(connection, services.options.tasks_per_step):
            with suppress(Conflict):
                async with boundary.of_task(connection, WHO, task_id, passing=(Conflict,)), connection.transaction():
                    group = await merges.take(connection, group_id)
                    if group is not None:
                        await _merge(connection, group)
                        made += 1
    return made


async def _merge(connection: Connection, group: merges.Group) -> None:
    task = await tasks.get(connection, group.task_id)
    assert task is not None, "a merge group has a task"
    document = decode_document(task.document)
    assert document.merge is not None, "a merge group belongs to a task that merges"
    (job_id,) = await jobs.next_ids(connection, 1)
    job, inputs = planning.merge_job(group, await merges.members(connection, group.merge_group_id), job_id)
    await _create(connection, task, document, group.queue_id, JobKind.MERGE, [job], inputs)
    await merges.start_group(connection, group.merge_group_id, job_id)
    await _keep_open(connection, task.task_id)


async def _keep_open(connection: Connection, task_id: int) -> None:
    """Raises Conflict, so that nothing is made, when the task was killed meanwhile; else the kill waits for the new jobs and finds them."""
    if not await tasks.stays(connection, task_id, OPEN):
        raise Conflict(f"task {task_id} takes no jobs any more", code="task.shut")


async def _endpoint(connection: Connection, queue_id: int) -> int:
    """Where jobs of this queue put their outputs. Raises Unavailable, so that nothing is made, when it is nowhere now."""
    found = (await jobs.write_endpoints(connection, [queue_id])).get(queue_id)
    if found is None:
        raise Unavailable(f"queue {queue_id} has no storage to write to", code="queue.no_storage")
    return found


async def _create(connection: Connection, task: tasks.Task, document: TaskDocument, queue_id: int, kind: JobKind, new: Sequence[NewJob],
                  inputs: Sequence[NewInput]) -> None:  # fmt: skip
    await jobs.create(
        connection, task_id=task.task_id, version=task.version, kind=str(kind), queue_id=queue_id,
        requirement_id=await jobs.requirement_id(connection, requirement(document.resources, kind)), endpoint_id=await _endpoint(connection, queue_id),
        priority=task.priority, who=WHO, new=new, inputs=inputs,
    )  # fmt: skip
