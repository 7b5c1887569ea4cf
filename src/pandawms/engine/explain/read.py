"""Gathers the facts about a task or job, and has them explained."""

from datetime import UTC, datetime

from pandawms.domain.gpu import ANY_MODEL
from pandawms.domain.job import JobStatus
from pandawms.domain.outcome import Outcome
from pandawms.domain.task import TaskStatus
from pandawms.engine.aggregate.ending import error_summary
from pandawms.engine.explain import job_plan, plan
from pandawms.engine.explain.facts import JobFacts, TaskFacts
from pandawms.store import brokerage, clones, events, measures, places, reasons, retry_rules, system, units
from pandawms.store.database import Connection
from pandawms.store.jobs import Job
from pandawms.store.places import QueueRow
from pandawms.store.reasons import Failure
from pandawms.store.tasks import Task
from pandawms.wire.why import Why

MOST_FAILURES = 5
MOST_AHEAD = 10_000


async def task(connection: Connection, found: Task) -> Why:
    """Returns why a task is as it is."""
    masters = [d for d in await units.task_datasets(connection, [found.task_id]) if d.is_master]
    facts = TaskFacts(
        task_id=found.task_id, name=found.name, status=found.status, since=found.changed_at, reason=(found.reason or {}).get("text"),
        n_listed=sum(d.n_listed for d in masters), n_used=sum(d.n_used for d in masters), n_finished=sum(d.n_finished for d in masters),
        n_failed=sum(d.n_failed for d in masters), is_complete=all(d.is_complete for d in masters), engines=await system.engines(connection),
        hot=await reasons.hot_jobs(connection, found.task_id), queues=await places.queues(connection),
        failures=await _failures(connection, found.task_id), units=await reasons.failed_units(connection, found.task_id),
        brokerage=await brokerage.get(connection, found.task_id), parent=await reasons.parent(connection, found.task_id),
        asked=await reasons.pending_commands(connection, found.task_id, None),
        reason_code=(found.reason or {}).get("code") or (found.reason or {}).get("rule"),
        scouts=await measures.scouts(connection, found.task_id) if found.status == TaskStatus.SCOUTING else None,
        done=await retry_rules.counts_of_task(connection, found.task_id),
    )  # fmt: skip
    return plan.explain(facts, datetime.now(UTC))


async def _failures(connection: Connection, task_id: int) -> tuple[Failure, ...]:
    """The most frequent kinds of failure, each with its newest job and what that said."""
    groups = (await error_summary(connection, task_id)).groups[:MOST_FAILURES]
    return tuple(Failure(group.domain, group.code, group.n, group.job_ids[0], group.message) for group in groups)


async def job(connection: Connection, found: Job) -> Why:
    """Returns why a job is as it is."""
    history = await events.of_job(connection, found.job_id)
    is_ready = found.status == JobStatus.ACTIVATED
    facts = JobFacts(
        job_id=found.job_id, task_id=found.task_id, status=found.status, kind=found.kind, attempt=found.attempt,
        since=history[-1].at if history else found.created_at, engines=await system.engines(connection), queue=await _queue(connection, found.queue),
        lease_expires_at=found.lease_expires_at, outcome=_outcome(found), successor_id=await reasons.successor(connection, found.task_id, found.job_id),
        n_ahead=await reasons.ahead(connection, found.job_id, MOST_AHEAD) if is_ready else 0,
        kill_reason=await reasons.kill_order(connection, found.job_id), predecessors=await reasons.predecessors(connection, found.job_id),
        missing=await reasons.missing_inputs(connection, found.job_id, MOST_FAILURES),
        asked=await reasons.pending_commands(connection, None, found.job_id), done=await retry_rules.done_about_job(connection, found.job_id),
        asks_for=_asks_for(found), copies=await clones.of_job(connection, found.job_id) if found.copy is not None else (),
    )  # fmt: skip
    return job_plan.explain(facts, datetime.now(UTC))


def _asks_for(found: Job) -> tuple[str, ...]:
    nodes = (f"{found.nodes} nodes",) if found.nodes > 1 else ()
    model = () if found.gpu_model == ANY_MODEL else (f"GPUs of the model {found.gpu_model}",)
    memory = (f"{found.gpu_memory_mb} MB of memory on each GPU",) if found.gpu_memory_mb else ()
    return nodes + model + memory


def _outcome(found: Job) -> Outcome | None:
    if found.error_domain is None or found.error_code is None:
        return None
    return Outcome(found.error_domain, found.error_code, found.exit_code, found.exit_signal, found.message or "", bool(found.is_retryable))


async def _queue(connection: Connection, name: str) -> QueueRow | None:
    return next((queue for queue in await places.queues(connection) if queue.name == name), None)
