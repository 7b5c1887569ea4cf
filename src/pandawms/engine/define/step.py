"""Lists the inputs of new tasks and of extended ones, lets tasks wait for inputs that do not exist yet, and lists again inputs that grew."""

from typing import Any

from pandawms.domain.errors import Invalid
from pandawms.domain.stages import Stage
from pandawms.domain.task import TaskEvent, TaskStatus
from pandawms.engine import boundary
from pandawms.engine.define import listing as inputs
from pandawms.engine.ordering import applied
from pandawms.engine.services import Services
from pandawms.store import catalogue, listing, tasks
from pandawms.store.database import Connection, Pool
from pandawms.wire.checks import decode_document
from pandawms.wire.document import TaskDocument
from pandawms.wire.document_view import primary

WHO = str(Stage.DEFINE)

TAKEN = frozenset({TaskStatus.REGISTERED, TaskStatus.DEFINED, TaskStatus.TOINCEXEC, TaskStatus.REREFINE})
"""Statuses in which a task waits for this stage."""
FED = frozenset({
    TaskStatus.READY, TaskStatus.SCOUTING, TaskStatus.SCOUTED, TaskStatus.RUNNING, TaskStatus.PENDING, TaskStatus.THROTTLED, TaskStatus.PAUSED,
})  # fmt: skip
"""Statuses in which the inputs of a task may grow."""
SAID = boundary.ENDING | {TaskStatus.PENDING, TaskStatus.THROTTLED, TaskStatus.PAUSED}
"""Where the reason of a task says more than that its input has grown."""
NAMED = 5
"""How many missing datasets a reason names."""


async def step(pool: Pool, services: Services) -> int:
    """Makes registered tasks ready, wakes those whose input appeared, and feeds growing inputs; returns how many of all these."""
    return await _wake(pool, services) + await _go_back(pool, services) + await _list_new(pool, services) + await _feed(pool, services)


async def _wake(pool: Pool, services: Services) -> int:
    """Tasks that waited for a dataset which exists now are looked at again."""
    async with pool.acquire() as connection, connection.transaction():
        found = await listing.waiting_found(connection, services.options.tasks_per_step)
        for task_id in found:
            await tasks.move(connection, task_id, TaskEvent.FIND_INPUT, WHO)
        return len(found)


async def _go_back(pool: Pool, services: Services) -> int:
    """Tasks that a command made ready while they waited for an input are listed first."""
    async with pool.acquire() as connection, connection.transaction():
        found = await listing.unlisted(connection, services.options.tasks_per_step)
        for task_id in found:
            await tasks.move(connection, task_id, TaskEvent.RELIST, WHO)
        return len(found)


async def _list_new(pool: Pool, services: Services) -> int:
    listed = 0
    while listed < services.options.tasks_per_step and await _list_one(pool):
        listed += 1
    return listed


async def _list_one(pool: Pool) -> bool:
    async with pool.acquire() as connection, connection.transaction():
        for task in await tasks.take(connection, TAKEN, 1):
            async with boundary.of_task(connection, WHO, task.task_id), connection.transaction():
                await tasks.move(connection, task.task_id, TaskEvent.REREFINE, WHO)
                await tasks.move(connection, task.task_id, TaskEvent.REFINE, WHO)
                event, why = await _define(connection, task.task_id, applied(decode_document(task.document), task.ordered))
                await tasks.move(connection, task.task_id, event, WHO, why)
                await tasks.touch(connection, [task.task_id])
            return True
    return False


async def _define(connection: Connection, task_id: int, document: TaskDocument) -> tuple[TaskEvent, dict[str, Any] | None]:
    """Lists the inputs; returns what follows for the task and why. What cannot work leaves nothing listed."""
    await inputs.tie_new(connection, task_id, document)
    if missing := await inputs.find_missing(connection, task_id, document):
        return TaskEvent.WAIT, _missing(missing)
    try:
        async with connection.transaction():
            found = await inputs.list_inputs(connection, task_id, document)
    except Invalid as error:
        return TaskEvent.REJECT, {"code": error.code, "text": f"{error.detail}: {error.hint}", "field": error.field, "value": error.value}
    if found.n_units or not found.is_complete:
        return TaskEvent.LIST_INPUTS, None
    stream, spec = primary(document)
    if spec.may_be_empty:
        return TaskEvent.LIST_NOTHING, {"code": "input.empty", "text": f"input {stream} has no files, as the task allows"}
    return TaskEvent.REJECT, {"code": "input.empty", "text": f"input {stream} has no files that the task may take", "field": f"inputs.{stream}"}


def _missing(dids: list[str]) -> dict[str, Any]:
    more = f" and {len(dids) - NAMED} more" if len(dids) > NAMED else ""
    text = f"waits until {', '.join(dids[:NAMED])}{more} exist{'s' if len(dids) == 1 else ''}"
    return {"code": "input.missing", "text": text, "value": dids[:NAMED]}


async def _feed(pool: Pool, services: Services) -> int:
    await _refresh(pool, services)
    async with pool.acquire() as connection:
        found = await listing.growing(connection, FED, services.options.tasks_per_step)
        return sum([await _feed_one(connection, each.task_id, each.task_dataset_id) for each in found])


async def _feed_one(connection: Connection, task_id: int, task_dataset_id: int) -> bool:
    """Lists a grown input again, and lets the broker look at its task at once: in a transaction of its own, as tasks are held before inputs are listed."""
    async with boundary.of_task(connection, WHO, task_id):
        async with connection.transaction():
            grown = await listing.hold_growing(connection, FED, task_dataset_id)
            if grown is None:
                return False
            await inputs.feed(connection, grown, applied(decode_document(grown.document), grown.ordered))
            await tasks.touch(connection, {task_id})
        await tasks.explain(connection, task_id, None, 0, unless=SAID)
        return True
    await listing.put_off(connection, task_dataset_id, boundary.LOOK_AGAIN_SECONDS)
    return False


async def _refresh(pool: Pool, services: Services) -> None:
    """Asks the data manager for news of open inputs that others own, outside any transaction."""
    if services.data_manager.name == "builtin":
        return
    async with pool.acquire() as connection:
        names = {*await catalogue.open_inputs(connection), *await listing.open_sources(connection)}
    for did in sorted(names):
        await services.data_manager.refresh(did)
