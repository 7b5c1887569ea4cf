"""Applies what users and operators asked, in rounds: each a transaction of at most a thousand jobs, in turns with those of other commands."""

from collections.abc import Awaitable, Callable, Mapping

import asyncpg
import structlog

from pandawms.domain.codes import Code
from pandawms.domain.command import Verb
from pandawms.domain.errors import PandaError
from pandawms.domain.job import LEASED, QUEUED, SETTLING, JobEvent
from pandawms.domain.outcome import outcome
from pandawms.domain.task import TaskStatus
from pandawms.engine.boundary import DATABASE_AWAY
from pandawms.engine.command import plan as planning
from pandawms.engine.command.plan import Decision
from pandawms.engine.command.round import Done, More, Round
from pandawms.engine.command.verbs import again, ending, extend, holding, obsolete, reassign, recover, setting
from pandawms.engine.services import Services
from pandawms.store import commands, endings, leases, tasks
from pandawms.store.commands import Pending
from pandawms.store.database import Connection, Pool
from pandawms.store.endings import ending as ended
from pandawms.store.leases import Held

log = structlog.get_logger()

APPLIERS: Mapping[Verb, Callable[[Round, Decision], Awaitable[Done | More]]] = {
    Verb.KILL: ending.kill,
    Verb.FINISH: ending.finish,
    Verb.RETRY: again.retry,
    Verb.EXTEND: extend.extend,
    Verb.REASSIGN: reassign.reassign,
    Verb.PAUSE: holding.pause,
    Verb.RESUME: holding.resume,
    Verb.AVALANCHE: setting.avalanche,
    Verb.SET: setting.set_values,
    Verb.RECOVER: recover.recover,
    Verb.RELEASE: setting.release,
    Verb.APPROVE: setting.approve,
    Verb.OBSOLETE: obsolete.obsolete,
}
"""Who applies each command. A fork is made at once, by whoever asks."""

IN_EACH_OTHERS_WAY: tuple[type[Exception], ...] = (asyncpg.TransactionRollbackError, asyncpg.LockNotAvailableError, asyncpg.InsufficientResourcesError)
"""Failures of a round that say nothing about its command: a deadlock with another writer, a lock or memory that could not be had. The same round may succeed
when it is done again."""
AGAIN_SECONDS = 1.0


async def step(pool: Pool, services: Services) -> int:
    """Takes one pending command one round further, in one transaction; returns 1, or 0 when none was due."""
    async with pool.acquire() as connection, connection.transaction():
        pending = await commands.take(connection, 1)
        for command in pending:
            await _advance(connection, services, command)
    return len(pending)


async def _advance(connection: Connection, services: Services, command: Pending) -> None:
    """A round is done whole or not at all. A command that fails is answered so, and does not stand in the way of the others."""
    try:
        async with connection.transaction():
            found = await _round(connection, services, command)
    except DATABASE_AWAY:
        raise
    except IN_EACH_OTHERS_WAY as error:
        log.warning("command.again", command_id=command.command_id, verb=command.verb, error=str(error))
        found = More(command.progress, AGAIN_SECONDS)
    except PandaError as error:
        found = Done(f"refused: {error.detail}")
    except Exception as error:
        log.exception("command.failed", command_id=command.command_id, verb=command.verb)
        found = Done(f"failed: {type(error).__name__}; the engine's log says more")
    if isinstance(found, More):
        await commands.go_on(connection, command.command_id, None if found.progress is None else dict(found.progress), found.seconds)
    else:
        await commands.answer(connection, command.command_id, found.answer, dict(found.result))
        await tasks.touch(connection, [command.task_id] if command.task_id is not None else [])  # aggregate lets a task be while a command of it is pending


async def _round(connection: Connection, services: Services, command: Pending) -> Done | More:
    if command.job_id is not None:
        return Done(await _kill_job(connection, command.job_id, command))
    assert command.task_id is not None, "a command is about a task or a job"
    await tasks.hold(connection, command.task_id)  # aggregate judges it before this round or after
    task = await tasks.get(connection, command.task_id)
    assert task is not None, "a command names a task"
    given = Round(connection, services, command, task)
    decision = planning.for_task(given.verb, TaskStatus(task.status), task.previous_status, is_automatic=bool(given.arguments.get("is_automatic")))
    if not given.progress and not decision.is_taken:
        return Done(decision.answer)
    return await APPLIERS[given.verb](given, decision)


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


async def _cancel(connection: Connection, held: list[Held], reason: str, command: Pending) -> None:
    end = outcome(Code.KILLED, reason)
    await endings.end(connection, [ended(job, JobEvent.CANCEL, end) for job in held], command.asker)
