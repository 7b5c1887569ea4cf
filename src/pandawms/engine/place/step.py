"""Activates jobs whose inputs are in reach."""

from collections.abc import Collection, Sequence

from pandawms.domain.job import JobEvent
from pandawms.domain.stages import Stage
from pandawms.engine.place.plan import plan
from pandawms.engine.services import Services
from pandawms.store import commands, jobs, wake
from pandawms.store.database import Connection, Pool
from pandawms.store.jobs import Unplaced

WHO = str(Stage.PLACE)


async def step(pool: Pool, services: Services) -> int:
    """Moves jobs that wait for data; returns how many moved."""
    async with pool.acquire() as connection, connection.transaction():
        unplaced = await jobs.unplaced(connection, services.options.jobs_per_step)
        found = plan(unplaced)
        activated = await jobs.move(connection, found.activate, JobEvent.ACTIVATE, WHO) if found.activate else []
        assigned = await jobs.move(connection, found.request_data, JobEvent.REQUEST_DATA, WHO) if found.request_data else []
        await _hold(connection, unplaced, {job_id for job_id, _ in activated})
        await wake.queues(connection, {queue_id for _, queue_id in activated})
    return len(activated) + len(assigned)


async def _hold(connection: Connection, unplaced: Sequence[Unplaced], activated: Collection[int]) -> None:
    """Jobs of a paused task are held as soon as they are ready; a pause that comes meanwhile waits, and then finds them."""
    tasks = {job.job_id: job.task_id for job in unplaced if job.job_id in activated}
    paused = await commands.paused_tasks(connection, set(tasks.values())) if tasks else set()
    held = [job_id for job_id, task_id in tasks.items() if task_id in paused]
    if held:
        await jobs.move(connection, held, JobEvent.PAUSE, str(Stage.COMMAND))
