"""Activates jobs whose inputs are in reach."""

from pandawms.domain.job import JobEvent
from pandawms.domain.stages import Stage
from pandawms.engine.place.plan import plan
from pandawms.engine.services import Services
from pandawms.store import jobs, wake
from pandawms.store.database import Pool

WHO = str(Stage.PLACE)


async def step(pool: Pool, services: Services) -> int:
    """Moves jobs that wait for data; returns how many moved."""
    async with pool.acquire() as connection, connection.transaction():
        found = plan(await jobs.unplaced(connection, services.options.jobs_per_step))
        activated = await jobs.move(connection, found.activate, JobEvent.ACTIVATE, WHO) if found.activate else []
        assigned = await jobs.move(connection, found.request_data, JobEvent.REQUEST_DATA, WHO) if found.request_data else []
        await wake.queues(connection, {queue_id for _, queue_id in activated})
    return len(activated) + len(assigned)
