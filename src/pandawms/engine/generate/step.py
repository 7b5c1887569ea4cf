"""Makes run jobs from allocations and merge jobs from groups, in bulk."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress

from pandawms.domain.errors import Conflict
from pandawms.domain.snapshot import JobKind, Requirement
from pandawms.domain.stages import Stage
from pandawms.domain.task import TaskEvent, TaskStatus
from pandawms.engine.generate import plan as planning
from pandawms.engine.services import Services
from pandawms.store import brokerage, jobs, merges, tasks, units
from pandawms.store.database import Connection, Pool
from pandawms.store.jobs import NewInput, NewJob
from pandawms.wire.checks import decode_document
from pandawms.wire.task import TaskDocument

WHO = str(Stage.GENERATE)

OPEN = frozenset({TaskStatus.READY, TaskStatus.SCOUTING, TaskStatus.RUNNING})
"""Statuses in which a task may get jobs."""


async def step(pool: Pool, services: Services) -> int:
    """Consumes allocations and mergeable groups; returns how many jobs were made."""
    return await _from_allocations(pool, services) + await _from_groups(pool, services)


async def _from_allocations(pool: Pool, services: Services) -> int:
    """Each allocation in a transaction of its own, so that the locks of one task never wait for those of another."""
    made = 0
    for _ in range(services.options.tasks_per_step):
        with suppress(Conflict):
            async with pool.acquire() as connection, connection.transaction():
                taken = await brokerage.take(connection, 1)
                made += sum([await _consume(connection, allocation, services) for allocation in taken])
        if not taken:
            break
    return made


async def _consume(connection: Connection, taken: brokerage.Taken, services: Services) -> int:
    task = await tasks.get(connection, taken.task_id)
    assert task is not None, "an allocation has a task"
    document = decode_document(task.document)
    per_job = document.split.files_per_job or 1
    found = await units.take_ready(connection, task.task_id, min(taken.quota, planning.most_units(services.options.units_per_step, per_job)))
    ready = await units.ready(connection, [task.task_id], 1)
    cut = planning.groups(found, per_job, is_complete=ready[task.task_id].is_complete)
    await brokerage.use(connection, taken.allocation_id, sum(len(group) for group in cut))
    if not cut:
        return 0
    new, inputs = planning.run_jobs(task.task_id, cut, await jobs.next_ids(connection, len(cut)))
    streams = document.outputs
    await _create(connection, task, document, taken.queue_id, JobKind.RUN, new, inputs, streams)
    await tasks.move(connection, task.task_id, TaskEvent.START, WHO)
    await _keep_open(connection, task.task_id)
    return len(new)


async def _from_groups(pool: Pool, services: Services) -> int:
    made = 0
    for _ in range(services.options.tasks_per_step):
        with suppress(Conflict):
            async with pool.acquire() as connection, connection.transaction():
                found = await merges.take_mergeable(connection, 1)
                for group in found:
                    await _merge(connection, group)
        if not found:
            break
        made += 1
    return made


async def _merge(connection: Connection, group: merges.Group) -> None:
    task = await tasks.get(connection, group.task_id)
    assert task is not None, "a merge group has a task"
    document = decode_document(task.document)
    assert document.merge is not None, "a merge group belongs to a task that merges"
    (job_id,) = await jobs.next_ids(connection, 1)
    job, inputs = planning.merge_job(task.task_id, group, await merges.members(connection, group.merge_group_id), job_id)
    await _create(connection, task, document, group.queue_id, JobKind.MERGE, [job], inputs, document.merge.outputs)
    await merges.start_group(connection, group.merge_group_id, job_id)
    await _keep_open(connection, task.task_id)


async def _keep_open(connection: Connection, task_id: int) -> None:
    """Raises Conflict, so that nothing is made, when the task was killed meanwhile; else the kill waits for the new jobs and finds them."""
    if not await tasks.stays(connection, task_id, OPEN):
        raise Conflict(f"task {task_id} takes no jobs any more", code="task.shut")


async def _create(connection: Connection, task: tasks.Task, document: TaskDocument, queue_id: int, kind: JobKind, new: Sequence[NewJob],
                  inputs: Sequence[NewInput], streams: Mapping[str, str]) -> None:  # fmt: skip
    resources = document.resources
    need = Requirement(resources.cores, resources.memory_mb, resources.disk_mb, resources.wall_seconds, resources.architecture, resources.gpus, kind)
    datasets = {d.stream: d.task_dataset_id for d in await units.task_datasets(connection, [task.task_id]) if d.role in ("output", "transient")}
    written = list(planning.outputs(task.name, new, streams, datasets, Counter(f.job_id for f in inputs)))
    await jobs.create(
        connection, task_id=task.task_id, version=task.version, kind=str(kind), queue_id=queue_id,
        requirement_id=await jobs.requirement_id(connection, need), priority=task.priority, who=WHO, new=new, inputs=inputs, outputs=written,
    )  # fmt: skip
