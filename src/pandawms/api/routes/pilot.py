"""The pilot's four calls. Each is safe to repeat; a claim may wait. The first three are served by `pilot_door.py`, before the framework."""

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from litestar import post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery

from pandawms.api.call import Call, PilotCall, left
from pandawms.api.pilot_checks import checked_beats, checked_claim, checked_reports, claim_uuid, decode_call
from pandawms.api.policies import Action, use_queue
from pandawms.data import blobs
from pandawms.domain.errors import Denied
from pandawms.engine.dispatch.gather import hands_out
from pandawms.engine.dispatch.plan import Claim
from pandawms.store import ids, job_lookups
from pandawms.wire.pilot import ClaimAnswer, ClaimRequest, HeartbeatAnswer, HeartbeatRequest, ReportAnswer, ReportRequest

WORK = {"policy": Action.WORK}


def frequent(path: str, body: type, answer: type) -> Callable[[Callable[[PilotCall], Awaitable[Any]]], HTTPRouteHandler]:
    """Makes a route of a function that `PilotDoor` calls itself; the framework only describes it, and would call the same function."""

    def route(serve: Callable[[PilotCall], Awaitable[Any]]) -> HTTPRouteHandler:
        async def described(request: Call) -> Any:
            return await serve(PilotCall(request.core, request.who, await request.body(), partial(left, request.receive)))

        described.__name__, described.__doc__ = serve.__name__, serve.__doc__
        return post(path, opt={**WORK, "body": body, "answer": answer, "through_door": serve}, status_code=200)(described)

    return route


@frequent("/pilot/claim", ClaimRequest, ClaimAnswer)
async def claim(call: PilotCall) -> ClaimAnswer:
    """Gives a pilot jobs under a lease; waits up to `wait_seconds` while there are none. The same claim_id again gets the same jobs."""
    core, asked = call.core, checked_claim(decode_call(ClaimRequest, call.body))
    use_queue(call.who, asked.queue)
    queue = await core.presence.queue(asked.queue)
    await core.presence.admit(asked.worker_id, queue)
    seconds = min(asked.wait_seconds, core.options.longest_wait_seconds)
    given = await core.room.claim(Claim(queue.queue_id, asked), seconds, call.gone) if hands_out(queue.status) else ()
    core.metrics.count(core.metrics.claims, "jobs" if given else "none")
    options = core.services.options
    return ClaimAnswer(options.lease_seconds, options.heartbeat_seconds, time.time(), given)


@frequent("/pilot/heartbeat", HeartbeatRequest, HeartbeatAnswer)
async def heartbeat(call: PilotCall) -> HeartbeatAnswer:
    """Renews the leases of a pilot's jobs and tells it what to do with each."""
    core, asked = call.core, checked_beats(decode_call(HeartbeatRequest, call.body))
    queue = await core.presence.queue(call.who.queue or "")
    core.presence.hear(asked.worker_id, queue)
    verdicts = await core.reporter.heartbeat(queue.queue_id, asked.jobs)
    for verdict in verdicts:
        core.metrics.count(core.metrics.beats, verdict.verdict)
    return HeartbeatAnswer(core.services.options.lease_seconds, time.time(), verdicts)


@frequent("/pilot/report", ReportRequest, ReportAnswer)
async def report(call: PilotCall) -> ReportAnswer:
    """Ends a pilot's jobs as reported; the same report again is answered the same."""
    core, asked = call.core, checked_reports(decode_call(ReportRequest, call.body))
    queue = await core.presence.queue(call.who.queue or "")
    core.presence.hear(asked.worker_id, queue)
    verdicts = await core.reporter.report(queue.queue_id, asked.jobs)
    for verdict in verdicts:
        core.metrics.count(core.metrics.reports, verdict.verdict)
    return ReportAnswer(verdicts)


@put("/pilot/jobs/{job_id:int}/log", opt={**WORK, "body": bytes}, status_code=204, request_max_body_size=None)
async def log(request: Call, job_id: FromPath[int], claim_id: FromQuery[str]) -> None:
    """Takes the log folder of a job (tar.gz) from the claim that ran it."""
    core, claimed = request.core, claim_uuid(claim_id, "claim_id")
    async with core.pool.acquire() as connection:
        holder = await job_lookups.claim_holder(connection, ids.checked_id(job_id, "job_id"))
    if holder is None or holder.queue != request.who.queue or holder.claim_id != claimed:
        raise Denied(f"job {job_id} is not of this claim", code="job.foreign", field="claim_id", value=claim_id, hint="keep the log")
    await blobs.write(core.blobs.log(job_id), request.parts(), core.options.max_log_bytes)


ROUTES = (claim, heartbeat, report, log)
