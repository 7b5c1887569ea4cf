"""Enforces how long jobs and tasks may be in one status: a part of them each step, the whole once a minute."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from pandawms.domain.command import Verb
from pandawms.domain.job import LEASED, QUEUED, SETTLING
from pandawms.domain.stages import Stage
from pandawms.domain.task import TaskEvent
from pandawms.engine.services import Services
from pandawms.engine.watch import limits
from pandawms.store import commands, endings, leases, tasks, timers
from pandawms.store.database import Connection, Pool
from pandawms.store.timers import Mark, OverdueJob, RestingTask

WHO = str(Stage.WATCH)

JOB_LOOK_SECONDS = 60.0
TASK_LOOK_SECONDS = 20.0
JOBS_PER_LOOK = 2_000
TASKS_PER_LOOK = 200


async def step(pool: Pool, services: Services) -> int:
    """Looks at the next part of jobs and of tasks; returns for how many something followed."""
    return await _look_at_jobs(pool, services) + await _look_at_tasks(pool, services)


async def _look_at_jobs(pool: Pool, services: Services) -> int:
    """Goes through all hot jobs in the order of their ids. Jobs are locked before the tasks that they are reasons for."""
    now = services.clock()
    async with pool.acquire() as connection, connection.transaction():
        mark = await timers.take_mark(connection, "jobs")
        if mark is None or not _is_due(mark, now, JOB_LOOK_SECONDS):
            return 0
        ids = await timers.next_jobs(connection, mark.after_id, JOBS_PER_LOOK)
        await timers.set_mark(connection, "jobs", ids[-1] if len(ids) == JOBS_PER_LOOK else 0, None if len(ids) == JOBS_PER_LOOK else now)
        if not ids:
            return 0
        overdue = await timers.overdue_jobs(connection, ids[0], ids[-1], limits.JOB_SECONDS, limits.TIMEOUT_QUEUES, now)
        return await _end(connection, overdue) + await _tell(connection, [job for job in overdue if not limits.is_ended(job)])


def _is_due(mark: Mark, now: datetime, seconds: float) -> bool:
    """A look that has begun goes on at once; the next begins some time after the last was whole."""
    return mark.after_id > 0 or now - mark.looked_at >= timedelta(seconds=seconds)


async def _end(connection: Connection, overdue: Sequence[OverdueJob]) -> int:
    """Ends jobs; the inputs of those that never ran are brokered anew, and the attempt does not count."""
    since = {job.job_id: job for job in overdue if limits.is_ended(job)}
    held = [job for job in await leases.lock(connection, since, QUEUED | LEASED | SETTLING) if job.status == since[job.job_id].status] if since else []
    await endings.end(connection, [limits.timed_out(job, since[job.job_id].since) for job in held], WHO)
    await commands.give_back(connection, [job.job_id for job in held if job.status in QUEUED], 1)
    return len(held)


async def _tell(connection: Connection, overdue: Sequence[OverdueJob]) -> int:
    by_task: dict[int, list[OverdueJob]] = {}
    for job in overdue:
        by_task.setdefault(job.task_id, []).append(job)
    reasons = {task_id: limits.unmerged(task_id, len(jobs), min(job.since for job in jobs)) for task_id, jobs in sorted(by_task.items())}
    await timers.set_reasons(connection, reasons)
    return len(reasons)


async def _look_at_tasks(pool: Pool, services: Services) -> int:
    now, days = services.clock(), services.options.task_days
    async with pool.acquire() as connection, connection.transaction():
        mark = await timers.take_mark(connection, "tasks")
        if mark is None or not _is_due(mark, now, TASK_LOOK_SECONDS):
            return 0
        oldest = now - timedelta(days=days) if days else None
        found = await timers.resting_tasks(connection, mark.after_id, TASKS_PER_LOOK, limits.task_seconds(), now, oldest)
        is_whole = len(found) < TASKS_PER_LOOK
        await timers.set_mark(connection, "tasks", 0 if is_whole else found[-1].task_id, now if is_whole else None)
        return sum([await _follow(connection, task, limits.for_task(task, now, days)) for task in found])


async def _follow(connection: Connection, task: RestingTask, step: limits.Step) -> bool:
    if step.event is not None:
        await _move(connection, task, step.event, step)
    elif step.finish is not None:
        arguments = {"is_automatic": True, "reason": step.finish}
        await commands.ask_many(connection, str(Verb.FINISH), [task.task_id], task.owner_id, arguments)
    elif step.reason is not None or step.is_cleared:
        await timers.set_reason(connection, task.task_id, step.reason)
    return step != limits.NOTHING


async def _move(connection: Connection, task: RestingTask, event: TaskEvent, step: limits.Step) -> None:
    if await tasks.move(connection, task.task_id, event, WHO, step.reason) is not None:
        await tasks.touch(connection, [task.task_id])
