"""Jobs: list, look, logs, kill."""

import asyncio
from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath, QueryParameter, RequestBody
from litestar.response import Stream

from pandawms.api import finding, logs, policies, views
from pandawms.api.call import Call
from pandawms.api.once import once
from pandawms.api.paging import Count, Cursor, IdFilter, PageSize, Statuses, TextFilter, page_of, statuses, whole
from pandawms.api.policies import Action
from pandawms.api.routes.tasks import community
from pandawms.api.views_of_rules import act_view
from pandawms.data import blobs
from pandawms.domain.command import Verb
from pandawms.domain.errors import Conflict, NotFound
from pandawms.domain.job import JOB, JobStatus
from pandawms.domain.stages import Stage
from pandawms.engine.blueprints import blueprint
from pandawms.engine.explain import read as explaining
from pandawms.store import builds, clones, commands, events, lists, payloads, retry_rules, tasks, wake, workers
from pandawms.store import jobs as jobs_store
from pandawms.store.database import Connection
from pandawms.store.jobs import Job
from pandawms.wire.checks import decode_document
from pandawms.wire.command import TaskCommand
from pandawms.wire.document import TaskDocument
from pandawms.wire.document_view import has_payloads, reads_library
from pandawms.wire.event import ChangeEvent
from pandawms.wire.job import JobDetail, JobFile, JobSummary
from pandawms.wire.page import DEFAULT_PAGE_SIZE, Page
from pandawms.wire.task import CommandAnswer
from pandawms.wire.why import Why

LOOK = {"policy": Action.LOOK}
GZIP = "application/gzip"
OTHER_ANSWERS = {"text/plain": {"schema": {"type": "string"}}, "application/json": {"schema": {"type": "array", "items": {"type": "string"}}}}
"""What the log route answers when it is asked for one file, or for the names."""
ListNames = Annotated[bool, QueryParameter(name="list", description="Only the names of the files.")]


@get("/jobs", opt=LOOK)
async def page(request: Call, task_id: IdFilter = None, status: Statuses = None, queue: TextFilter = None, limit: PageSize = DEFAULT_PAGE_SIZE,
               cursor: Cursor = None) -> Page[JobSummary]:  # fmt: skip
    """Lists jobs, newest first, ended ones included."""
    filters = {"community": community(request), "task_id": task_id, "status": statuses(status, list(JobStatus)), "queue": queue}
    return await page_of(request, lists.JOBS, filters, limit, cursor, views.job_summary)


@get("/jobs/{job_id:int}", opt=LOOK)
async def get_job(request: Call, job_id: FromPath[int]) -> JobDetail:
    """Everything about one job."""
    async with request.core.pool.acquire() as connection:
        job = await finding.job(connection, request.who, job_id)
        document = await _document(connection, job)
        node = await workers.node_of(connection, job.worker_id) if job.worker_id is not None else None
        done = await retry_rules.done_about_job(connection, job.job_id)
        rows = await payloads.of_job(connection, job.job_id) if has_payloads(document, job.kind) else []
        copies = await clones.of_job(connection, job.job_id) if job.copy is not None else ()
        library = await builds.library_of(connection, job.job_id) if reads_library(document, job.kind) else None
    has_log = request.core.blobs.log(job.job_id).exists()
    detail = views.job_detail(job, document, node, request.core.services.options.lease_seconds, has_log=has_log)
    told = tuple(views.job_payload(job, row) for row in rows)
    return msgspec.structs.replace(detail, retry_acts=tuple(act_view(each) for each in done), payloads=told, cloning=views.job_copies(copies), library=library)


async def _document(connection: Connection, job: Job) -> TaskDocument:
    key = (job.task_id, job.version)
    return decode_document((await tasks.templates(connection, {key}))[key])


@get("/jobs/{job_id:int}/files", opt=LOOK)
async def files(request: Call, job_id: FromPath[int]) -> Page[JobFile]:
    """What a job reads and writes."""
    async with request.core.pool.acquire() as connection:
        job = await finding.job(connection, request.who, job_id)
        rows = await jobs_store.files_of(connection, job.job_id)
        (found,) = await tasks.blueprints(connection, [(job.task_id, job.version)])
        several = await payloads.of_job(connection, job.job_id) if blueprint(found).has_payloads(job.kind) else []
    expected = blueprint(found).outputs(job.kind, job.serial, job.attempt, job.copy or 1)
    written = {row.stream for row in rows if row.role == "output" and row.file_id is not None}
    names = {output.stream: output.local_name for output in expected}
    ends = {payload.n: payload.status for payload in several}
    known = [views.job_file(job, row, names, ends.get(row.n)) for row in rows if row.role == "input" or row.file_id is not None]
    if several:
        return whole(known)
    return whole(known + [views.unwritten(job, output) for output in expected if output.stream not in written])


@get("/jobs/{job_id:int}/events", opt=LOOK)
async def changes(request: Call, job_id: FromPath[int], limit: PageSize = DEFAULT_PAGE_SIZE) -> Page[ChangeEvent]:
    """The history of a job, oldest first; it is short."""
    async with request.core.pool.acquire() as connection:
        job = await finding.job(connection, request.who, job_id)
        rows = await events.of_job(connection, job.job_id)
    return whole([views.change(row, str(row.event_id)) for row in rows[:limit]])


@get("/jobs/{job_id:int}/why", opt=LOOK)
async def why(request: Call, job_id: FromPath[int]) -> Why:
    """Why the job is as it is: what it waits for, or how it failed, and what would help."""
    async with request.core.pool.acquire() as connection:
        return await explaining.job(connection, await finding.job(connection, request.who, job_id))


@get("/jobs/{job_id:int}/log", opt={**LOOK, "answer": bytes, "media_type": GZIP, "other_answers": OTHER_ANSWERS})
async def log(request: Call, job_id: FromPath[int], member: TextFilter = None, tail: Count = None,
              list_: ListNames = False) -> Stream | Response[Any]:  # fmt: skip
    """The log folder of a job as tar.gz; with `member` one file of it as text (with `tail` its last lines), with `list=1` the names in it."""
    async with request.core.pool.acquire() as connection:
        job = await finding.job(connection, request.who, job_id)
    path = request.core.blobs.log(job.job_id)
    if not path.exists():
        raise _no_log(job)
    if list_:
        return Response(await asyncio.to_thread(logs.names, path), media_type="application/json")
    if member is not None:
        text = await asyncio.to_thread(logs.member, path, member, tail, request.core.options.max_log_member_bytes)
        return Response(text, media_type="text/plain; charset=utf-8")
    headers = {"Content-Length": str(path.stat().st_size), "Content-Disposition": f'attachment; filename="job-{job.job_id}-log.tar.gz"'}
    return Stream(blobs.read(path), media_type=GZIP, headers=headers)


def _no_log(job: Job) -> NotFound:
    hint = "its pilot was lost before it could send one" if JOB.is_final(JobStatus(job.status)) else "it comes when the job has ended"
    return NotFound(f"job {job.job_id} has no log", code="log.missing", field="job_id", value=job.job_id, hint=hint)


@post("/jobs/{job_id:int}/kill", opt={"policy": Action.COMMAND, "is_repeatable": True}, status_code=202)
async def kill(request: Call, job_id: FromPath[int], data: RequestBody[TaskCommand | None] = None) -> CommandAnswer:
    """Ends one job: at once when no pilot has it, else by its pilot's next heartbeat. Its inputs are not tried again."""

    async def work(connection: Connection) -> dict[str, Any]:
        job = await finding.job(connection, request.who, job_id)
        task = await tasks.get(connection, job.task_id)
        policies.command(request.who, job.owner_id, task.owner if task else "", job.community)
        _check_hot(job)
        arguments = {"reason": data.reason} if data else {}
        command_id = await commands.ask(connection, str(Verb.KILL), job_id=job.job_id, asked_by=request.who.user_id, arguments=arguments)
        await wake.stages(connection, Stage.COMMAND)
        return {"command_id": command_id, "subject": f"job {job.job_id}", "status": job.status}

    return CommandAnswer(**(await once(request, work)).answer)


def _check_hot(job: Job) -> None:
    if JOB.is_final(JobStatus(job.status)):
        raise Conflict(
            f"job {job.job_id} has ended", code="command_not_accepted", field="status", value=job.status,
            allowed=", ".join(str(status) for status in JobStatus if not JOB.is_final(status)), hint="there is nothing left to stop",
        )  # fmt: skip


ROUTES = (page, get_job, files, changes, why, log, kill)
