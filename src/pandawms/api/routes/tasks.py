"""Tasks: submit, plan, list, look."""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath, QueryParameter, RequestBody

from pandawms.api import eta, finding, measured, policies, views
from pandawms.api.call import Call
from pandawms.api.once import once
from pandawms.api.paging import Cursor, PageSize, Statuses, TextFilter, after, cursor_of, page_of, rows_of, statuses, whole
from pandawms.api.policies import Action
from pandawms.domain.file import FileStatus
from pandawms.domain.job import JobStatus
from pandawms.domain.stages import Stage
from pandawms.domain.task import TaskStatus
from pandawms.engine import submission
from pandawms.engine.define.plan import files_per_job
from pandawms.engine.explain import read as explaining
from pandawms.store import events, lists, measures, tasks, units, wake
from pandawms.store.database import Connection
from pandawms.store.tasks import Task
from pandawms.wire.checks import decode_document
from pandawms.wire.document import TaskDocument
from pandawms.wire.document_view import primary
from pandawms.wire.event import ChangeEvent
from pandawms.wire.job import JobSummary
from pandawms.wire.page import DEFAULT_PAGE_SIZE, Page
from pandawms.wire.task import (
    Plan,
    SubmitAnswer,
    TaskDetail,
    TaskInputUnit,
    TaskOutput,
    TaskSummary,
)
from pandawms.wire.why import Why

LOOK = {"policy": Action.LOOK}
Stuck = Annotated[bool | None, QueryParameter(description="Only tasks that stand still for longer than they may, or only others.")]
RUNNING = (JobStatus.STARTING, JobStatus.RUNNING, JobStatus.SENT, JobStatus.STAGEIN, JobStatus.STAGEOUT)


@post("/tasks", opt={"policy": Action.SUBMIT, "is_repeatable": True}, status_code=201)
async def submit(request: Call, data: RequestBody[TaskDocument]) -> Response[SubmitAnswer]:
    """Submits a task: all of it is checked and stored, or nothing. With an Idempotency-Key the same submission twice makes one task (200 then)."""

    async def work(connection: Connection) -> dict[str, Any]:
        made = await submission.submit(connection, request.core.services, request.who, data)
        await wake.stages(connection, Stage.DEFINE)
        return {"task_id": made.task_id, "name": made.name, "status": str(made.status)}

    done = await once(request, work)
    return Response(SubmitAnswer(**done.answer, created=done.is_new), status_code=201 if done.is_new else 200)


@post("/tasks/plan", opt={"policy": Action.SUBMIT}, status_code=200)
async def plan(request: Call, data: RequestBody[TaskDocument]) -> Plan:
    """Says what a submission would make, and stores nothing."""
    async with request.core.pool.acquire() as connection:
        return await submission.plan(connection, request.core.services, request.who, data)


@get("/tasks", opt=LOOK)
async def page(request: Call, status: Statuses = None, name: TextFilter = None, owner: TextFilter = None, stuck: Stuck = None,
               limit: PageSize = DEFAULT_PAGE_SIZE, cursor: Cursor = None) -> Page[TaskSummary]:  # fmt: skip
    """Lists tasks, newest first. With `stuck` those that stand still for too long, with the reason in `reason`."""
    filters = {"community": community(request), "status": statuses(status, list(TaskStatus)), "name": name, "owner": owner, "stuck": stuck}
    rows, following = await rows_of(request, lists.TASKS, filters, limit, cursor)
    ids = [row.task_id for row in rows]
    async with request.core.reading() as connection:
        datasets, counts = await units.task_datasets(connection, ids), await tasks.job_counts(connection, ids)
    items = [views.task_summary(row, [d for d in datasets if d.task_id == row.task_id], counts[row.task_id]) for row in rows]
    return Page(items=tuple(items), next_cursor=following)


def community(request: Call) -> str | None:
    """Returns the community to which lists are confined; None for an operator, who sees all."""
    return None if policies.is_operator(request.who) else request.who.community


@get("/tasks/{task:str}", opt=LOOK)
async def get_task(request: Call, task: FromPath[str]) -> TaskDetail:
    """Everything about one task, by id, by name (your newest) or as owner:name."""
    async with request.core.pool.acquire() as connection:
        return await _detail(connection, await finding.task(connection, request.who, task))


async def _detail(connection: Connection, task: Task) -> TaskDetail:
    datasets = await units.task_datasets(connection, [task.task_id])
    counts = (await tasks.job_counts(connection, [task.task_id]))[task.task_id]
    document = decode_document(task.document)
    summary = views.task_summary(task, datasets, counts)
    masters = [d for d in datasets if d.is_master]
    n_events, finished_events = sum(d.n_events for d in masters), sum(d.n_events_finished for d in masters)
    left = await _eta(connection, summary, document)
    return TaskDetail(
        **msgspec.structs.asdict(summary), attempts=sum(count.n for count in counts), coverage=_part(summary), unit=_unit(document),
        wall_seconds=sum(c.wall_seconds for c in counts), cpu_seconds=sum(c.cpu_seconds for c in counts), description=document.description,
        retries=sum(c.retries for c in counts), events_total=n_events or None, events_finished=finished_events if n_events else None,
        eta_low_seconds=left.low_seconds if left else None, eta_high_seconds=left.high_seconds if left else None,
        outputs=views.outputs(datasets), document=msgspec.to_builtins(document), scouts=measured.scouts(task, await measures.of_task(connection, task.task_id)),
        rounds=measured.rounds(await measures.rounds(connection, task.task_id)),
    )  # fmt: skip


def _unit(document: TaskDocument) -> str:
    spec = primary(document)[1]
    return "events" if spec.count is not None else "pieces" if spec.pieces is not None else "files"


def _part(summary: TaskSummary) -> float:
    return summary.inputs.finished / summary.inputs.total if summary.inputs.total else 0.0


async def _eta(connection: Connection, summary: TaskSummary, document: TaskDocument) -> eta.Range | None:
    running = sum(summary.jobs.get(status, 0) for status in RUNNING)
    open_units = summary.inputs.ready + summary.inputs.running
    if not running or not open_units:
        return None
    ended = await tasks.ended_lately(connection, summary.task_id, eta.RECENT)
    return eta.estimate(-(-open_units // files_per_job(document)), running, ended, datetime.now(UTC))


@get("/tasks/{task:str}/files", opt=LOOK)
async def files(request: Call, task: FromPath[str], status: Statuses = None, limit: PageSize = DEFAULT_PAGE_SIZE, cursor: Cursor = None) -> Page[TaskInputUnit]:
    """The input units of a task: files, or chunks of events."""
    found = await _found(request, task)
    filters = {"task_id": found.task_id, "status": statuses(status, list(FileStatus))}
    return await page_of(request, lists.UNITS, filters, limit, cursor, views.unit)


@get("/tasks/{task:str}/jobs", opt=LOOK)
async def jobs(request: Call, task: FromPath[str], status: Statuses = None, limit: PageSize = DEFAULT_PAGE_SIZE, cursor: Cursor = None) -> Page[JobSummary]:
    """The jobs of a task, newest first, ended ones included."""
    found = await _found(request, task)
    filters = {"task_id": found.task_id, "status": statuses(status, list(JobStatus))}
    return await page_of(request, lists.JOBS, filters, limit, cursor, views.job_summary)


@get("/tasks/{task:str}/events", opt=LOOK)
async def changes(request: Call, task: FromPath[str], limit: PageSize = DEFAULT_PAGE_SIZE, cursor: Cursor = None) -> Page[ChangeEvent]:
    """The history of a task, oldest first."""
    behind = after(cursor) or 0
    async with request.core.pool.acquire() as connection:
        found = await finding.task(connection, request.who, task)
        rows = await events.of_task(connection, found.task_id, behind, limit + 1)
    items = tuple(views.change(row, str(row.event_id)) for row in rows[:limit])
    return Page(items=items, next_cursor=cursor_of(rows[limit - 1].event_id) if len(rows) > limit else None)


@get("/tasks/{task:str}/outputs", opt=LOOK)
async def outputs(request: Call, task: FromPath[str]) -> Page[TaskOutput]:
    """The datasets that a task writes."""
    async with request.core.pool.acquire() as connection:
        found = await finding.task(connection, request.who, task)
        return whole(views.outputs(await units.task_datasets(connection, [found.task_id])))


@get("/tasks/{task:str}/why", opt=LOOK)
async def why(request: Call, task: FromPath[str]) -> Why:
    """Why the task is as it is: what it waits for, or what failed, and what would help."""
    async with request.core.pool.acquire() as connection:
        found = await finding.task(connection, request.who, task)
        return await explaining.task(connection, found)


async def _found(request: Call, reference: str) -> Task:
    async with request.core.pool.acquire() as connection:
        return await finding.task(connection, request.who, reference)


ROUTES = (submit, plan, page, get_task, files, jobs, changes, outputs, why)
