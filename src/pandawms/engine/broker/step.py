"""Gives allocations to tasks that have open units and none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pandawms.domain.snapshot import QueueSnapshot, Rejection
from pandawms.domain.stages import Stage
from pandawms.engine import boundary
from pandawms.engine.broker import plan as planning
from pandawms.engine.broker.rules import RULES
from pandawms.engine.broker.snapshot import input_endpoints, queue_snapshots, task_snapshot
from pandawms.engine.services import Services
from pandawms.store import brokerage, tasks, units
from pandawms.store.database import Connection, Pool
from pandawms.wire.checks import decode_document

WHO = str(Stage.BROKER)


@dataclass(frozen=True, slots=True)
class Look:
    """One task as the broker found it."""

    task: tasks.Task
    ready: units.Ready
    endpoints: frozenset[int]


async def step(pool: Pool, services: Services) -> int:
    """Looks at tasks without an allocation; returns how many got one. Rules are asked between two transactions: those of plugins may take their time."""
    looks, queues = await _look(pool, services)
    given = 0
    for look in looks:
        async with pool.acquire() as connection, boundary.of_task(connection, WHO, look.task.task_id):
            given += await _broker(connection, services, look, queues)
    return given


async def _look(pool: Pool, services: Services) -> tuple[list[Look], Sequence[QueueSnapshot]]:
    async with pool.acquire() as connection, connection.transaction():
        due = await brokerage.without_allocation(connection, services.options.tasks_per_step)
        if not due:
            return [], ()
        ready = await units.ready(connection, [task.task_id for task in due], services.options.units_per_step)
        looks = [Look(task, ready[task.task_id], await input_endpoints(connection, task.task_id)) for task in due]
        return looks, await queue_snapshots(connection)


async def _broker(connection: Connection, services: Services, look: Look, queues: Sequence[QueueSnapshot]) -> bool:
    document = decode_document(look.task.document)
    per_job = document.split.files_per_job or 1
    open_units = look.ready.n_ready if look.ready.is_complete else look.ready.n_ready // per_job * per_job
    if open_units == 0:
        reason = {"code": "input.growing", "text": "waits for more input files"}
        await tasks.explain(connection, look.task.task_id, reason, services.options.look_again_seconds)
        return False
    picture = task_snapshot(look.task, document, open_units=open_units, units_per_job=per_job, endpoints=look.endpoints)
    found = planning.plan(picture, queues, (*RULES, *services.broker_rules))
    async with connection.transaction():
        return await brokerage.may_allocate(connection, look.task.task_id) and await _apply(connection, services, look.task, found)


async def _apply(connection: Connection, services: Services, task: tasks.Task, found: planning.Plan) -> bool:
    await brokerage.put(connection, task.task_id, [_candidate(c) for c in found.candidates], [rejection(r) for r in found.rejections])
    await brokerage.replace_allocations(connection, task.task_id, [(s.queue_id, s.quota, s.weight) for s in found.shares], services.options.allocation_seconds)
    if not found.shares:
        reason = {"code": "broker.no_queue", "text": f"no queue can take it: {len(found.rejections)} rejected"}
        await tasks.explain(connection, task.task_id, reason, services.options.look_again_seconds)
    elif task.reason is not None:
        await tasks.explain(connection, task.task_id, None, 0)
    return bool(found.shares)


def _candidate(candidate: planning.Candidate) -> dict[str, Any]:
    return {"queue": candidate.queue.name, "weight": candidate.weight}


def rejection(found: Rejection) -> dict[str, Any]:
    """Returns a rejection as it is stored and shown."""
    return {"queue": found.queue, "rule": found.rule, "reason": found.reason, "limit": found.limit, "value": found.value}
