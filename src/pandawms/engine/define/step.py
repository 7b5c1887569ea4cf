"""Lists the inputs of new tasks, and lists again those that grew."""

from pandawms.domain.stages import Stage
from pandawms.domain.task import TaskEvent, TaskStatus
from pandawms.engine import boundary
from pandawms.engine.define import plan as planning
from pandawms.engine.services import Services
from pandawms.store import catalogue, tasks, units
from pandawms.store.database import Connection, Pool
from pandawms.wire.checks import decode_document

WHO = str(Stage.DEFINE)


async def step(pool: Pool, services: Services) -> int:
    """Makes registered tasks ready and feeds growing inputs; returns how many of both."""
    return await _list_new(pool, services) + await _feed(pool, services)


async def _list_new(pool: Pool, services: Services) -> int:
    listed = 0
    while listed < services.options.tasks_per_step and await _list_one(pool):
        listed += 1
    return listed


async def _list_one(pool: Pool) -> bool:
    async with pool.acquire() as connection, connection.transaction():
        for task in await tasks.take(connection, {TaskStatus.REGISTERED, TaskStatus.DEFINED}, 1):
            async with boundary.of_task(connection, WHO, task.task_id), connection.transaction():
                await tasks.move(connection, task.task_id, TaskEvent.REFINE, WHO)
                await _list(connection, task)
                await tasks.move(connection, task.task_id, TaskEvent.LIST_INPUTS, WHO)
                await tasks.touch(connection, [task.task_id])
            return True
    return False


async def _list(connection: Connection, task: tasks.Task) -> None:
    document = decode_document(task.document)
    listing = planning.plan(document)
    (source,) = [d for d in await units.task_datasets(connection, [task.task_id]) if d.is_master]
    if isinstance(listing, planning.Chunks):
        await units.add_event_chunks(
            connection, task.task_id, source.task_dataset_id, first=listing.first, count=listing.count, chunk=listing.chunk,
            max_attempts=document.retry.max_attempts,
        )  # fmt: skip
        return
    await _list_files(connection, task.task_id, source.task_dataset_id, document.retry.max_attempts, is_complete=source.is_open is False)


async def _list_files(connection: Connection, task_id: int, task_dataset_id: int, max_attempts: int, *, is_complete: bool) -> int:
    return await units.list_files(connection, task_id, task_dataset_id, max_attempts=max_attempts, is_complete=is_complete)


async def _feed(pool: Pool, services: Services) -> int:
    await _refresh(pool, services)
    fed = 0
    while fed < services.options.tasks_per_step and await _feed_one(pool):
        fed += 1
    return fed


async def _feed_one(pool: Pool) -> bool:
    """Lists one grown input again, and lets the broker look at its task at once."""
    async with pool.acquire() as connection, connection.transaction():
        for source in await units.growing(connection, 1):
            document = decode_document(source.document)
            await _list_files(connection, source.task_id, source.task_dataset_id, document.retry.max_attempts, is_complete=not source.is_open)
            await tasks.explain(connection, source.task_id, None, 0)
            await tasks.touch(connection, {source.task_id})
            return True
    return False


async def _refresh(pool: Pool, services: Services) -> None:
    """Asks the data manager for news of open inputs that others own, outside any transaction."""
    if services.data_manager.name == "builtin":
        return
    async with pool.acquire() as connection:
        names = await catalogue.open_inputs(connection)
    for did in names:
        await services.data_manager.refresh(did)
