"""The boundary of the loop for one task: what goes wrong with it is logged and kept as its reason, and all others go on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import structlog

from pandawms.domain.task import TaskStatus
from pandawms.store import tasks
from pandawms.store.database import Connection

log = structlog.get_logger()

LOOK_AGAIN_SECONDS = 10.0
DATABASE_AWAY: tuple[type[Exception], ...] = (
    OSError, asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError, asyncpg.InterfaceError, asyncpg.InternalClientError,
)  # fmt: skip
"""Failures that are nobody's task's: the whole step has failed. The database ends a call that takes too long, or all calls when it stops; a driver whose
connection is ended in the middle of a call may say that it is in a wrong state."""


ENDING = frozenset({TaskStatus.ABORTING, TaskStatus.TOABORT, TaskStatus.TOBROKEN, TaskStatus.FINISHING, TaskStatus.PASSED})
"""Where the reason of a task says why it ends, which its verdict repeats."""


@asynccontextmanager
async def of_task(connection: Connection, stage: str, task_id: int, passing: tuple[type[Exception], ...] = ()) -> AsyncIterator[None]:
    """Lets a failure inside the block end only the block, which opens its own transaction (or savepoint). The task is looked at again after 10 s.

    The reason says so then, unless the task is about to end: what it ends for is kept.

    Failures of the database itself, and those that the caller expects (`passing`), are passed on.
    """
    let_through = (*DATABASE_AWAY, *passing)
    try:
        yield
    except let_through:
        raise
    except Exception as error:
        log.exception("task.failed_in_stage", stage=stage, task_id=task_id)
        reason = {"code": "engine.failed", "text": f"{stage} failed on it: {type(error).__name__}; it is tried again, and the engine's log says more"}
        await tasks.explain(connection, task_id, reason, LOOK_AGAIN_SECONDS, unless=ENDING)
