"""Follows the files of touched tasks to retries, merges and verdicts."""

from pandawms.domain.codes import Code
from pandawms.domain.command import Verb
from pandawms.domain.job import JobEvent, JobStatus
from pandawms.domain.outcome import SUCCESS, Outcome, outcome
from pandawms.domain.stages import Stage
from pandawms.domain.task import TaskStatus
from pandawms.engine import boundary
from pandawms.engine.aggregate import builds, clones, ending, scouting
from pandawms.engine.aggregate import plan as planning
from pandawms.engine.aggregate.retries import step as retries
from pandawms.engine.services import Services
from pandawms.store import endings, leases, merges, tasks, units
from pandawms.store.database import Connection, Pool
from pandawms.wire.checks import decode_document
from pandawms.wire.document import TaskDocument

WHO = str(Stage.AGGREGATE)
STOPPING = frozenset({TaskStatus.ABORTING, TaskStatus.TOABORT, TaskStatus.TOBROKEN})
ENDING = STOPPING | {TaskStatus.FINISHING}
"""Where what is left of a task is cancelled."""


async def step(pool: Pool, services: Services) -> int:
    """Looks at tasks whose files changed, and stops copies of jobs that lost; returns how many of both.

    Each task takes two transactions, so that locks are always taken in one order: its outputs are grouped for merging (files of jobs, then the task),
    then its jobs, files and verdict follow; where it has a build, one more between them. The touch that asked for it goes with the last, so a kill in between
    loses nothing.
    """
    done = 0
    async with pool.acquire() as connection:
        for task_id, touch_ids in (await tasks.touches(connection, services.options.touches_per_step)).items():
            async with boundary.of_task(connection, WHO, task_id):
                async with connection.transaction():
                    has_build = await _group(connection, task_id)
                if has_build:
                    async with connection.transaction():
                        await _follow_build(connection, task_id)
                async with connection.transaction():
                    await tasks.drop_touches(connection, touch_ids)
                    await _follow(connection, services, task_id)
                done += 1
    return done + await clones.step(pool)


async def _follow(connection: Connection, services: Services, task_id: int) -> None:
    await tasks.hold(connection, task_id)
    task = await tasks.get(connection, task_id)
    assert task is not None, "a touch names a task"
    status, document = TaskStatus(task.status), decode_document(task.document)
    has_ended = await _end_merged(connection, task_id, document, is_stopping=status in STOPPING)
    if has_ended and status in ENDING:
        return  # their counters are held: jobs and ranges are not locked after these, but when the touch of these ends is followed
    if status in STOPPING:
        await ending.stop(connection, task, document)
    elif status == TaskStatus.FINISHING:
        await ending.finish(connection, task, document)
    elif status in (TaskStatus.PREPARED, TaskStatus.PASSED):
        await ending.end(connection, task, document, status)
    elif not await ending.follow_parent(connection, task) and status in planning.TRIED_AGAIN:
        await _go_on(connection, services, task, document)


async def _go_on(connection: Connection, services: Services, task: tasks.Task, document: TaskDocument) -> None:
    """What failed is tried again; then the scouts are judged, or the task is measured and judged."""
    if await retries.retry(connection, services, task):
        if document.merge is not None:
            await tasks.touch(connection, [task.task_id])  # what was given up may have been all that the last group of outputs waited for
        if task.status == TaskStatus.SCOUTING:
            await tasks.explain(connection, task.task_id, None, 0)  # it waited for its scouts alone
        task = await tasks.get(connection, task.task_id) or task  # a rule may have raised what it has learned
    no_build = await builds.failed_everywhere(connection, task, document) if document.build is not None else None
    if no_build is not None:
        await ending.ask(connection, task, Verb.FINISH, {"reason": no_build, "soft": True, "is_automatic": True})
        return
    if await scouting.has_scouts_out(connection, task, document):
        await scouting.judge_scouts(connection, services.options.scouts, task, document)
        return
    if task.status in (TaskStatus.SCOUTED, TaskStatus.RUNNING):
        await scouting.measure(connection, services.options.scouts, task, document)
    await ending.judge(connection, task, document)


async def _end_merged(connection: Connection, task_id: int, document: TaskDocument, *, is_stopping: bool) -> bool:
    """Source jobs end as their merge job did, those of all groups at once, as a kill locks them; a failed merge is tried again while it has attempts.

    Not so when the task is being stopped: then a failed merge is not tried again, and its source jobs are cancelled with all others. Returns whether any ended.
    """
    ends: dict[int, tuple[JobEvent, Outcome]] = {}
    unmergeable = await builds.unmergeable(connection, task_id) if document.build is not None else []
    for group in [*await merges.ended_groups(connection, task_id), *unmergeable]:
        is_merged = group.status == JobStatus.FINISHED
        if not is_merged and group.outcome.retryable and group.attempt < group.max_attempts and not is_stopping:
            await merges.set_group(connection, group.merge_group_id, "mergeable")
            continue
        await merges.set_group(connection, group.merge_group_id, "merged" if is_merged else "failed")
        if is_stopping and not is_merged:
            continue
        reason = SUCCESS if is_merged else outcome(Code.MERGE_FAILED, f"merge failed: {group.outcome.message}")
        how = (JobEvent.MERGED if is_merged else JobEvent.MERGE_FAILED, reason)
        ends |= {member.job_id: how for member in await merges.members(connection, group.merge_group_id)}
    held = await leases.lock(connection, ends.keys(), {JobStatus.MERGING}) if ends else []
    await endings.end(connection, [endings.ending(job, *ends[job.job_id]) for job in held], WHO)
    return bool(held)


async def _follow_build(connection: Connection, task_id: int) -> None:
    await tasks.hold(connection, task_id)
    task = await tasks.get(connection, task_id)
    assert task is not None, "a touch names a task"
    await builds.follow(connection, task, decode_document(task.document))


async def _group(connection: Connection, task_id: int) -> bool:
    """Puts outputs that wait into groups: full ones at once, the rest when no run job will write more. Returns whether the task has something built."""
    task = await tasks.get(connection, task_id)
    assert task is not None, "a touch names a task"
    document = decode_document(task.document)
    status = TaskStatus(task.status)
    if document.merge is None or status not in planning.MERGED:
        return document.build is not None
    progress = await units.progress(connection, task_id)  # first: an output that comes later must not miss the last group
    is_last = not progress.has_working_jobs if status == TaskStatus.FINISHING else planning.is_last_of_run_jobs(progress)
    waiting = await merges.unmerged(connection, task_id)
    for files in planning.merge_groups(waiting, document.merge.files_per_job, document.merge.mb_per_job, is_last=is_last):
        await merges.add_group(connection, task_id, files[0].queue_id, document.retry.max_attempts, files)
    return document.build is not None
