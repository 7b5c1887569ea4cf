"""Applies what users and operators asked."""

import structlog

from pandawms.domain.codes import Code
from pandawms.domain.command import Verb
from pandawms.domain.job import LEASED, QUEUED, SETTLING, JobEvent
from pandawms.domain.outcome import outcome
from pandawms.domain.stages import Stage
from pandawms.domain.task import TaskEvent, TaskStatus
from pandawms.engine.boundary import DATABASE_AWAY
from pandawms.engine.command import plan as planning
from pandawms.engine.services import Services
from pandawms.store import brokerage, catalogue, commands, endings, events, leases, merges, tasks, units
from pandawms.store.commands import Pending
from pandawms.store.database import Connection, Pool
from pandawms.store.endings import ending
from pandawms.store.leases import Held

log = structlog.get_logger()

WHO = str(Stage.COMMAND)


async def step(pool: Pool, services: Services) -> int:
    """Applies one pending command, in one transaction; returns 1, or 0 when there was none."""
    async with pool.acquire() as connection, connection.transaction():
        pending = await commands.take(connection, 1)
        for command in pending:
            await commands.answer(connection, command.command_id, await _answer(connection, services, command))
    return len(pending)


async def _answer(connection: Connection, services: Services, command: Pending) -> str:
    """Applies a command whole or not at all; one that fails is answered so, and does not stand in the way of the others."""
    try:
        async with connection.transaction():
            return await _apply(connection, services, command)
    except DATABASE_AWAY:
        raise
    except Exception as error:
        log.exception("command.failed", command_id=command.command_id, verb=command.verb)
        return f"failed: {type(error).__name__}; the engine's log says more"


async def _apply(connection: Connection, services: Services, command: Pending) -> str:
    if command.job_id is not None:
        return await _kill_job(connection, command.job_id, command)
    assert command.task_id is not None, "a command is about a task or a job"
    task = await tasks.get(connection, command.task_id)
    assert task is not None, "a command names a task"
    decision = planning.for_task(command.verb, task.status, None)
    if decision.event == TaskEvent.KILL:
        await _kill(connection, task, command)
    elif decision.event == TaskEvent.RETRY and not await _has_program(connection, task):
        return "refused: its sandbox has expired and is deleted; submit the task again under another name"
    elif decision.event == TaskEvent.RETRY:
        await _retry(connection, services, task, command)
    elif decision.event is not None:
        return f"refused: {command.verb} is not available in this release"
    return decision.answer


async def _kill(connection: Connection, task: tasks.Task, command: Pending) -> None:
    """Allocations and groups go first, as generate takes them first: then it makes no more jobs, and neither waits for the other in a circle.

    For the same reason all jobs are locked before any of them is ended: a report holds its jobs when it comes to the task's counters.
    """
    reason = command.arguments.get("reason") or "its task was killed"
    await brokerage.drop(connection, task.task_id)
    await merges.fail_open_groups(connection, task.task_id)
    held = await leases.lock_of_task(connection, task.task_id, planning.CANCELLED_AT_ONCE | LEASED, 1_000_000)
    await _cancel(connection, [job for job in held if job.status in planning.CANCELLED_AT_ONCE], reason, command)
    await leases.order_kill(connection, [job.job_id for job in held if job.status in LEASED], reason, command.asked_by)
    await tasks.move(connection, task.task_id, TaskEvent.KILL, command.asker, {"text": reason})
    await tasks.touch(connection, [task.task_id])


async def _cancel(connection: Connection, held: list[Held], reason: str, command: Pending) -> None:
    end = outcome(Code.KILLED, reason)
    await endings.end(connection, [ending(job, JobEvent.CANCEL, end) for job in held], command.asker)


async def _kill_job(connection: Connection, job_id: int, command: Pending) -> str:
    reason = command.arguments.get("reason") or "killed by a user"
    waiting = await leases.lock(connection, [job_id], QUEUED)
    if waiting:
        await _cancel(connection, waiting, reason, command)
        return "cancelled"
    if await leases.lock(connection, [job_id], SETTLING):
        return "refused: the job has run and its output waits to be merged; kill its merge job or its task"
    held = await leases.lock(connection, [job_id], LEASED)
    if not held:
        return "refused: the job has ended"
    await leases.order_kill(connection, [job_id], reason, command.asked_by)
    return "its pilot will be told by the next heartbeat"


async def _has_program(connection: Connection, task: tasks.Task) -> bool:
    digest = task.document.get("program", {}).get("sandbox")
    return digest is None or await catalogue.is_owned(connection, bytes.fromhex(digest))


async def _retry(connection: Connection, services: Services, task: tasks.Task, command: Pending) -> None:
    """Re-opens what failed, with more attempts, in a new round; and the children that ended without all they could have."""
    await units.reopen_failed(connection, task.task_id, services.options.retry_more_attempts)
    await units.reuse_input(connection, task.task_id)
    reopened = await catalogue.reopen_outputs(connection, task.task_id)
    if reopened:
        await events.log_datasets(connection, reopened, "thaw", "closed", "mutable", WHO)
    await tasks.move(connection, task.task_id, TaskEvent.RETRY, command.asker, {"text": command.arguments.get("reason") or "retry"})
    await tasks.next_round(connection, task.task_id)
    await tasks.move(connection, task.task_id, TaskEvent.REOPEN, WHO)
    await tasks.touch(connection, [task.task_id])
    for child_id, status in await tasks.children(connection, task.task_id):
        await units.reuse_input(connection, child_id)
        if status in (TaskStatus.FINISHED, TaskStatus.FAILED):
            await commands.ask(connection, str(Verb.RETRY), task_id=child_id, asked_by=command.asked_by, arguments={"reason": f"task {task.task_id} retried"})
