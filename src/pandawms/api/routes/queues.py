"""Queues, and how much work waits for each."""

from collections import Counter

from litestar import get
from litestar.params import FromPath

from pandawms.api import policies
from pandawms.api.call import Call
from pandawms.api.paging import PageSize, whole
from pandawms.api.policies import Action
from pandawms.domain.errors import NotFound, did_you_mean
from pandawms.store import places, workers
from pandawms.store.database import Connection
from pandawms.store.places import QueueRow
from pandawms.wire.page import DEFAULT_PAGE_SIZE, Page
from pandawms.wire.queue import Queue, QueueDemand

MOST_COUNTED = 100_000
"""Ready jobs are counted no further: no provisioner starts so many pilots at once."""


@get("/queues", opt={"policy": Action.LOOK})
async def page(request: Call, limit: PageSize = DEFAULT_PAGE_SIZE) -> Page[Queue]:
    """All queues of your community, by name."""
    async with request.core.reading() as connection:
        return whole([*await _seen(request, connection)][:limit])


@get("/queues/{name:str}", opt={"policy": Action.LOOK})
async def get_queue(request: Call, name: FromPath[str]) -> Queue:
    """One queue: what a slot of it offers, and what waits and runs there."""
    async with request.core.pool.acquire() as connection:
        known = {queue.name: queue for queue in await _seen(request, connection)}
    if name not in known:
        raise _unknown(name, known)
    return known[name]


async def _seen(request: Call, connection: Connection) -> list[Queue]:
    endpoints = {endpoint.endpoint_id: endpoint.name for endpoint in await places.endpoints(connection)}
    ties = await places.queue_endpoints(connection)
    writes = {tie.queue_id: endpoints[tie.endpoint_id] for tie in reversed(ties) if tie.write_order is not None}
    rows = await places.queues(connection)
    return [_view(row, writes.get(row.queue_id, "")) for row in rows if policies.may_see(request.who, row.community)]


def _view(row: QueueRow, endpoint: str) -> Queue:
    jobs = {"activated": row.activated_jobs, "running": row.running_jobs, "other": row.other_jobs}
    return Queue(
        name=row.name, site=row.site, status=row.status, slots=row.slots, cores=row.cores, memory_mb=row.memory_mb, disk_mb=row.disk_mb,
        wall_seconds=row.max_wall_seconds, architecture=row.architecture, gpus=row.gpus, provisioner=str(row.settings.get("provisioner", "")),
        storage_endpoint=endpoint, jobs=jobs, n_workers=row.workers, nodes=row.nodes, gpu_model=row.gpu_model, gpu_memory_mb=row.gpu_memory_mb,
    )  # fmt: skip


@get("/queues/{name:str}/demand", opt={"policy": Action.OPERATE})
async def demand(request: Call, name: FromPath[str]) -> QueueDemand:
    """What a provisioner needs to know to start the right number of pilots."""
    async with request.core.pool.acquire() as connection:
        queue = await places.queue_by_name(connection, name)
        if queue is None:
            raise _unknown(name, {row.name for row in await places.queues(connection)})
        await places.note_provisioner(connection, queue.queue_id)
        found = await places.demand(connection, queue.queue_id, MOST_COUNTED)
        alive = Counter(worker.status for worker in await workers.alive(connection, queue.queue_id))
    return QueueDemand(
        queue=name, status=queue.status, waiting_jobs=found.activated_jobs, running_jobs=found.running_jobs, slots=queue.slots, workers=dict(alive)
    )


def _unknown(name: str, known: "dict[str, Queue] | set[str]") -> NotFound:
    near = did_you_mean(name, known)
    return NotFound(
        f"there is no queue {name[:100]}", code="queue.unknown", field="name", value=name[:100], allowed=", ".join(sorted(known)) or "there is none",
        hint=f"did you mean {near}?" if near else "`panda ls queues` lists them",
    )  # fmt: skip


ROUTES = (page, get_queue, demand)
