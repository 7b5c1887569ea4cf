"""The pilot's four calls. Each is safe to repeat; a claim may wait."""

import asyncio
import time
from collections.abc import Collection

import msgspec
from litestar import Response, post, put
from litestar.params import FromPath, FromQuery

from pandawms.api.call import Call, until_gone
from pandawms.api.pilot_checks import checked_beats, checked_claim, checked_reports, claim_uuid, decode_call
from pandawms.api.policies import Action, use_queue
from pandawms.data import blobs
from pandawms.domain.errors import Conflict, Denied, NotFound
from pandawms.engine.dispatch.gather import hands_out
from pandawms.engine.dispatch.plan import Claim
from pandawms.store import lists, places, workers
from pandawms.store.database import Connection
from pandawms.store.places import QueueRow
from pandawms.wire.pilot import ClaimAnswer, ClaimRequest, HeartbeatAnswer, HeartbeatRequest, JobSpec, ReportAnswer, ReportRequest, encode

WORK = {"policy": Action.WORK}


def _answer(value: ClaimAnswer | HeartbeatAnswer | ReportAnswer) -> Response[bytes]:
    return Response(msgspec.json.encode(encode(value)), media_type="application/json", status_code=200)


@post("/pilot/claim", opt={**WORK, "body": ClaimRequest, "answer": ClaimAnswer}, status_code=200)
async def claim(request: Call) -> Response[bytes]:
    """Gives a pilot jobs under a lease; waits up to `wait_seconds` while there are none. The same claim_id again gets the same jobs."""
    core, asked = request.core, checked_claim(decode_call(ClaimRequest, await request.body()))
    use_queue(request.who, asked.queue)
    async with core.pool.acquire() as connection:
        queue = await _queue(connection, asked.queue)
        await _see(connection, asked.worker_id, queue)
    given = await _wait_for_jobs(request, Claim(queue.queue_id, asked)) if hands_out(queue.status) else ()
    core.metrics.claims.labels("jobs" if given else "none").inc()
    options = core.services.options
    return _answer(ClaimAnswer(options.lease_seconds, options.heartbeat_seconds, time.time(), given))


async def _queue(connection: Connection, name: str) -> QueueRow:
    queue = await places.queue_by_name(connection, name)
    if queue is None:
        raise NotFound(f"there is no queue {name}", code="queue.unknown", field="queue", value=name, hint="an operator has removed it")
    return queue


async def _see(connection: Connection, worker_id: int | None, queue: QueueRow) -> None:
    """Notes that the pilot lives. A pilot whose worker has ended gets no work: it would be taken away again at once."""
    if worker_id is None:
        return
    worker = await workers.get(connection, worker_id)
    if worker is None or worker.queue_id != queue.queue_id:
        raise NotFound(f"queue {queue.name} has no worker {worker_id}", code="worker.unknown", field="worker_id", value=worker_id, hint="leave it out")
    if worker.ended_at is not None:
        raise Conflict(
            f"worker {worker_id} has ended", code="worker.ended", field="worker_id", value=worker_id, allowed="a worker that lives", hint="end this pilot"
        )
    await workers.see(connection, [worker_id])


async def _wait_for_jobs(request: Call, asked: Claim) -> tuple[JobSpec, ...]:
    """Claims until there is something, the time is over or the server ends; stops claiming as soon as the pilot is gone."""
    deadline = time.monotonic() + min(asked.request.wait_seconds, request.core.options.longest_wait_seconds)
    while True:
        bell = request.core.dispatcher.bell(asked.queue_id)
        given = await request.core.dispatcher.claim(asked)
        left = deadline - time.monotonic()
        if given or left <= 0 or request.core.stopping.is_set():
            return given
        pause = min(left, request.core.options.claim_poll_seconds)
        if await until_gone(request, _first(bell, request.core.stopping, pause)) is None:
            return ()


async def _first(bell: asyncio.Event, stopping: asyncio.Event, seconds: float) -> bool:
    """Waits for the bell, the server's end or the time; always True."""
    waits = [asyncio.ensure_future(bell.wait()), asyncio.ensure_future(stopping.wait())]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    return True


@post("/pilot/heartbeat", opt={**WORK, "body": HeartbeatRequest, "answer": HeartbeatAnswer}, status_code=200)
async def heartbeat(request: Call) -> Response[bytes]:
    """Renews the leases of a pilot's jobs and tells it what to do with each."""
    core, asked = request.core, checked_beats(decode_call(HeartbeatRequest, await request.body()))
    await _check_queue(request, [beat.job_id for beat in asked.jobs], asked.worker_id)
    verdicts = await core.reporter.heartbeat(asked.jobs)
    for verdict in verdicts:
        core.metrics.beats.labels(verdict.verdict).inc()
    return _answer(HeartbeatAnswer(core.services.options.lease_seconds, time.time(), verdicts))


@post("/pilot/report", opt={**WORK, "body": ReportRequest, "answer": ReportAnswer}, status_code=200)
async def report(request: Call) -> Response[bytes]:
    """Ends a pilot's jobs as reported; the same report again is answered the same."""
    core, asked = request.core, checked_reports(decode_call(ReportRequest, await request.body()))
    await _check_queue(request, [each.job_id for each in asked.jobs], asked.worker_id)
    verdicts = await core.reporter.report(asked.jobs)
    for verdict in verdicts:
        core.metrics.reports.labels(verdict.verdict).inc()
    return _answer(ReportAnswer(verdicts))


@put("/pilot/jobs/{job_id:int}/log", opt={**WORK, "body": bytes}, status_code=204, request_max_body_size=None)
async def log(request: Call, job_id: FromPath[int], claim_id: FromQuery[str]) -> None:
    """Takes the log folder of a job (tar.gz) from the claim that ran it."""
    core, claimed = request.core, claim_uuid(claim_id, "claim_id")
    async with core.pool.acquire() as connection:
        holder = await lists.claim_holder(connection, lists.checked_id(job_id, "job_id"))
    if holder is None or holder.queue != request.who.queue or holder.claim_id != claimed:
        raise Denied(f"job {job_id} is not of this claim", code="job.foreign", field="claim_id", value=claim_id, hint="keep the log")
    await blobs.write(core.blobs.log(job_id), request.parts(), core.options.max_log_bytes)


async def _check_queue(request: Call, job_ids: Collection[int], worker_id: int | None) -> None:
    """Raises Denied when a pilot speaks for a job of another queue than its token's."""
    async with request.core.pool.acquire() as connection:
        foreign = await lists.jobs_elsewhere(connection, job_ids, request.who.queue or "")
        if worker_id is not None:
            await lists.see_worker(connection, worker_id, request.who.queue or "")
    if foreign:
        raise Denied(
            f"job {foreign[0]} is not of this token's queue", code="job.foreign", field="job_id", value=foreign[0], allowed=f"jobs of {request.who.queue}",
            hint="use the token of the job's queue",
        )  # fmt: skip


ROUTES = (claim, heartbeat, report, log)
