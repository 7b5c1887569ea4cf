"""Gives allocations to tasks that have open units and none."""

from collections.abc import Sequence
from typing import Any

from pandawms.domain.snapshot import QueueSnapshot, Rejection
from pandawms.engine.broker import plan as planning
from pandawms.engine.broker.rules import RULES
from pandawms.engine.broker.snapshot import input_endpoints, queue_snapshots, task_snapshot
from pandawms.engine.services import Services
from pandawms.store import brokerage, tasks, units
from pandawms.store.database import Connection, Pool
from pandawms.wire.checks import decode_document


async def step(pool: Pool, services: Services) -> int:
    """Looks at tasks without an allocation; returns how many got one."""
    async with pool.acquire() as connection, connection.transaction():
        due = await brokerage.without_allocation(connection, services.options.tasks_per_step)
        if not due:
            return 0
        queues = await queue_snapshots(connection)
        ready = await units.ready(connection, [task.task_id for task in due], services.options.units_per_step)
        given = [await _broker(connection, services, task, ready[task.task_id], queues) for task in due]
    return sum(given)


async def _broker(connection: Connection, services: Services, task: tasks.Task, ready: units.Ready, queues: Sequence[QueueSnapshot]) -> bool:
    document = decode_document(task.document)
    per_job = document.split.files_per_job or 1
    open_units = ready.n_ready if ready.is_complete else ready.n_ready // per_job * per_job
    if open_units == 0:
        await tasks.explain(connection, task.task_id, {"code": "input.growing", "text": "waits for more input files"}, services.options.look_again_seconds)
        return False
    endpoints = await input_endpoints(connection, task.task_id)
    picture = task_snapshot(task, document, open_units=open_units, units_per_job=per_job, endpoints=endpoints)
    found = planning.plan(picture, queues, (*RULES, *services.broker_rules))
    await brokerage.put(connection, task.task_id, [_candidate(c) for c in found.candidates], [rejection(r) for r in found.rejections])
    await brokerage.replace_allocations(connection, task.task_id, [(s.queue_id, s.quota, s.weight) for s in found.shares], services.options.allocation_seconds)
    if not found.shares:
        reason = {"code": "broker.no_queue", "text": f"no queue can take it: {len(found.rejections)} rejected"}
        await tasks.explain(connection, task.task_id, reason, services.options.look_again_seconds)
    return bool(found.shares)


def _candidate(candidate: planning.Candidate) -> dict[str, Any]:
    return {"queue": candidate.queue.name, "weight": candidate.weight}


def rejection(found: Rejection) -> dict[str, Any]:
    """Returns a rejection as it is stored and shown."""
    return {"queue": found.queue, "rule": found.rule, "reason": found.reason, "limit": found.limit, "value": found.value}
