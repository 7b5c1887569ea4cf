"""Follows the files of touched tasks to retries, merges and verdicts."""

from collections.abc import Sequence

from pandawms.domain.codes import Code
from pandawms.domain.job import LEASED, QUEUED, SETTLING, JobEvent, JobStatus
from pandawms.domain.outcome import SUCCESS, Outcome, outcome
from pandawms.domain.stages import Stage
from pandawms.domain.task import TaskEvent, TaskStatus
from pandawms.engine import boundary
from pandawms.engine.aggregate import plan as planning
from pandawms.engine.services import Services
from pandawms.store import catalogue, endings, events, leases, merges, tasks, units
from pandawms.store.database import Connection, Pool
from pandawms.store.endings import ending
from pandawms.wire.checks import decode_document

WHO = str(Stage.AGGREGATE)


async def step(pool: Pool, services: Services) -> int:
    """Looks at tasks whose files changed; returns how many.

    Each task takes two transactions, so that locks are always taken in one order: its outputs are grouped for merging (files of jobs, then the task),
    then its jobs, files and verdict follow. The touch that asked for it goes with the second, so a kill in between loses nothing.
    """
    done = 0
    async with pool.acquire() as connection:
        for task_id, touch_ids in (await tasks.touches(connection, services.options.touches_per_step)).items():
            async with boundary.of_task(connection, WHO, task_id):
                async with connection.transaction():
                    await _group(connection, task_id)
                async with connection.transaction():
                    await tasks.drop_touches(connection, touch_ids)
                    await _follow(connection, task_id)
                done += 1
    return done


async def _follow(connection: Connection, task_id: int) -> None:
    await tasks.hold(connection, task_id)
    await _end_merged(connection, task_id)
    task = await tasks.get(connection, task_id)
    assert task is not None, "a touch names a task"
    if task.status == TaskStatus.ABORTING:
        await _abort(connection, task)
    elif TaskStatus(task.status) in planning.FLOWING:
        await units.retry_failed(connection, task_id)
        await _judge(connection, task)
    elif task.status == TaskStatus.TOBROKEN:
        await _close(connection, task, TaskEvent.BREAK, {})


async def _end_merged(connection: Connection, task_id: int) -> None:
    """Source jobs end as their merge job did, those of all groups at once, as a kill locks them; a failed merge is tried again while it has attempts."""
    ends: dict[int, tuple[JobEvent, Outcome]] = {}
    for group in await merges.ended_groups(connection, task_id):
        is_merged = group.status == JobStatus.FINISHED
        if not is_merged and group.outcome.retryable and group.attempt < group.max_attempts:
            await merges.set_group(connection, group.merge_group_id, "mergeable")
            continue
        await merges.set_group(connection, group.merge_group_id, "merged" if is_merged else "failed")
        reason = SUCCESS if is_merged else outcome(Code.MERGE_FAILED, f"merge failed: {group.outcome.message}")
        how = (JobEvent.MERGED if is_merged else JobEvent.MERGE_FAILED, reason)
        ends |= {member.job_id: how for member in await merges.members(connection, group.merge_group_id)}
    held = await leases.lock(connection, ends.keys(), {JobStatus.MERGING}) if ends else []
    await endings.end(connection, [ending(job, *ends[job.job_id]) for job in held], WHO)


async def _group(connection: Connection, task_id: int) -> None:
    """Puts outputs that wait into groups: full ones at once, the rest when no run job will write more."""
    task = await tasks.get(connection, task_id)
    assert task is not None, "a touch names a task"
    document = decode_document(task.document)
    if document.merge is None or TaskStatus(task.status) not in planning.FLOWING:
        return
    is_last = planning.is_last_of_run_jobs(await units.progress(connection, task_id))  # first: an output that comes later must not miss the last group
    waiting = await merges.unmerged(connection, task_id)
    for files in planning.merge_groups(waiting, document.merge.files_per_job, is_last=is_last):
        await merges.add_group(connection, task_id, files[0].queue_id, document.retry.max_attempts, files)


async def _judge(connection: Connection, task: tasks.Task) -> None:
    progress = await units.progress(connection, task.task_id)
    if not planning.is_settled(progress):
        return
    if await tasks.move(connection, task.task_id, TaskEvent.PREPARE, WHO) is None:
        return
    found = planning.verdict(progress)
    await _close(connection, task, found.event, found.numbers)


async def _abort(connection: Connection, task: tasks.Task) -> None:
    """Cancels what came to be while the kill was applied (new jobs, jobs that came to merging) and has pilots told of what they took meanwhile.

    Ends the task when no pilot has a job of it.
    """
    left = await leases.lock_of_task(connection, task.task_id, QUEUED | SETTLING | LEASED, 1_000_000)
    killed = outcome(Code.KILLED, "its task was killed")
    await endings.end(connection, [ending(job, JobEvent.CANCEL, killed) for job in left if job.status not in LEASED], WHO)
    await leases.order_kill(connection, [job.job_id for job in left if job.status in LEASED], killed.message, None)
    progress = await units.progress(connection, task.task_id)
    if progress.has_jobs:
        return
    await units.cancel_rest(connection, task.task_id)
    await _close(connection, task, TaskEvent.ABORT, {})


async def _close(connection: Connection, task: tasks.Task, event: TaskEvent, numbers: dict[str, object]) -> None:
    """Gives the task its final status, keeps the round, closes its outputs and asks its children to look."""
    status = await tasks.move(connection, task.task_id, event, WHO, numbers or None)
    if status is None:
        return
    await tasks.add_round(connection, task.task_id, status, numbers)
    closed = await catalogue.close_outputs(connection, task.task_id)
    await _log(connection, closed, "freeze", "mutable", "closed")
    if status in (TaskStatus.ABORTED, TaskStatus.BROKEN):
        await _log(connection, await catalogue.remove_empty_outputs(connection, task.task_id), "discard", "closed", "deleted")
    await tasks.touch(connection, [child for child, _ in await tasks.children(connection, task.task_id)])


async def _log(connection: Connection, dataset_ids: Sequence[int], event: str, before: str, after: str) -> None:
    if dataset_ids:
        await events.log_datasets(connection, dataset_ids, event, before, after, WHO)
