"""Workers: made and followed by provisioners."""

from datetime import timedelta
from typing import Any

from litestar import Response, get, patch, post
from litestar.params import FromPath, RequestBody

from pandawms.api import tokens as issuing
from pandawms.api import views
from pandawms.api.call import Call
from pandawms.api.once import once
from pandawms.api.paging import Cursor, PageSize, Statuses, TextFilter, page_of, statuses
from pandawms.api.policies import Action
from pandawms.api.routes.tasks import community
from pandawms.domain.errors import Conflict, Invalid, NotFound
from pandawms.domain.identity import Scope
from pandawms.domain.stages import Stage
from pandawms.domain.worker import WORKER, WorkerEvent, WorkerStatus
from pandawms.store import ids, lists, places, wake, workers
from pandawms.store.database import Connection
from pandawms.wire.page import DEFAULT_PAGE_SIZE, Page
from pandawms.wire.worker import Worker, WorkerPatch, WorkerRequest

EVENTS: dict[WorkerStatus, WorkerEvent] = {
    WorkerStatus.SUBMITTED: WorkerEvent.SUBMIT,
    WorkerStatus.READY: WorkerEvent.GET_READY,
    WorkerStatus.IDLE: WorkerEvent.REST,
    WorkerStatus.RUNNING: WorkerEvent.RUN,
    WorkerStatus.FINISHED: WorkerEvent.FINISH,
    WorkerStatus.FAILED: WorkerEvent.FAIL,
    WorkerStatus.CANCELLED: WorkerEvent.CANCEL,
    WorkerStatus.MISSED: WorkerEvent.MISS,
}
"""What has happened to a worker whose provisioner says that it has this status."""


@post("/workers", opt={"policy": Action.OPERATE, "is_repeatable": True}, status_code=201)
async def create(request: Call, data: RequestBody[WorkerRequest]) -> Response[Worker]:
    """Makes a worker that is about to be submitted, with a token for its pilot. A repeat with the same Idempotency-Key gets a new token for the same one."""

    async def work(connection: Connection) -> dict[str, Any]:
        queue = await places.queue_by_name(connection, data.queue)
        if queue is None:
            raise Invalid(f"there is no queue {data.queue}", code="queue.unknown", field="queue", value=data.queue, hint="`panda ls queues` lists them")
        return {"worker_id": await workers.add(connection, queue.queue_id, data.provisioner, request.who.name), "queue_id": queue.queue_id}

    done = await once(request, work)
    worker_id = int(done.answer["worker_id"])
    async with request.core.pool.acquire() as connection, connection.transaction():
        text = await _token(request, connection, worker_id, int(done.answer["queue_id"]), data.queue)
        worker = await _get(connection, worker_id)
    return Response(views.worker(worker, text), status_code=201 if done.is_new else 200)


async def _token(request: Call, connection: Connection, worker_id: int, queue_id: int, queue: str) -> str:
    lifetime = timedelta(days=request.core.options.pilot_token_days)
    return await issuing.issue(connection, request.core.key, request.who.user_id, f"worker {worker_id}", (str(Scope.PILOT),), queue_id, queue, lifetime)


@get("/workers", opt={"policy": Action.LOOK})
async def page(request: Call, queue: TextFilter = None, status: Statuses = None, limit: PageSize = DEFAULT_PAGE_SIZE, cursor: Cursor = None) -> Page[Worker]:
    """Lists workers, newest first."""
    filters = {"community": community(request), "queue": queue, "status": statuses(status, list(WorkerStatus))}
    return await page_of(request, lists.WORKERS, filters, limit, cursor, views.worker)


@patch("/workers/{worker_id:int}", opt={"policy": Action.OPERATE})
async def change(request: Call, worker_id: FromPath[int], data: RequestBody[WorkerPatch]) -> Worker:
    """Tells what became of a worker. A late word (submitted, after running) changes nothing; one about a worker that has ended is a conflict."""
    async with request.core.pool.acquire() as connection, connection.transaction():
        worker = await _get(connection, ids.checked_id(worker_id, "worker_id"))
        target = WORKER.status(data.status) if data.status is not None else WorkerStatus(worker.status)
        await _apply(connection, worker, target, data, request.who.name)
        if target in WORKER.final:
            await wake.stages(connection, Stage.WATCH)
        return views.worker(await _get(connection, worker.worker_id))


async def _apply(connection: Connection, worker: workers.Worker, target: WorkerStatus, data: WorkerPatch, who: str) -> None:
    event = EVENTS.get(target)
    before = WorkerStatus(worker.status)
    allowed = {target} | (WORKER.sources(event) if event is not None else frozenset())
    if before not in allowed:
        if before in WORKER.final or before == WorkerStatus.PENDING:
            raise _conflict(worker, target)
        target, allowed = before, {before}
    diagnosis = data.reason if data.exit_code is None else f"{data.reason or 'it ended'} (exit code {data.exit_code})"
    if not await workers.change(connection, worker.worker_id, allowed, target, str(event), who, native_id=data.batch_id, node=data.node, diagnosis=diagnosis):
        raise _conflict(worker, target)


def _conflict(worker: workers.Worker, target: WorkerStatus) -> Conflict:
    accepted = [str(status) for status, event in EVENTS.items() if WorkerStatus(worker.status) in WORKER.sources(event)]
    return Conflict(
        f"worker {worker.worker_id} is {worker.status} and cannot become {target}", code="worker_status", field="status", value=str(target),
        allowed=", ".join(accepted) or "nothing: it has ended", hint="tell its statuses in order" if accepted else "make a new worker",
    )  # fmt: skip


async def _get(connection: Connection, worker_id: int) -> workers.Worker:
    worker = await workers.get(connection, worker_id)
    if worker is None:
        raise NotFound(f"there is no worker {worker_id}", code="worker.unknown", field="worker_id", value=worker_id, hint="`panda ls workers` lists them")
    return worker


ROUTES = (create, page, change)
