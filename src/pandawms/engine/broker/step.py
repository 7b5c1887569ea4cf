"""Gives allocations to tasks that have open units and none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pandawms.domain.snapshot import Avoided, QueueSnapshot, Rejection
from pandawms.domain.stages import Stage
from pandawms.domain.task import TaskEvent, TaskStatus
from pandawms.engine import boundary
from pandawms.engine.broker import plan as planning
from pandawms.engine.broker.rules import RULES
from pandawms.engine.broker.snapshot import input_endpoints, queue_snapshots, task_snapshot
from pandawms.engine.ordering import applied
from pandawms.engine.services import Services
from pandawms.engine.splitting import of_task
from pandawms.store import brokerage, retry_rules, splitting, tasks, units
from pandawms.store.database import Connection, Pool
from pandawms.store.units import TaskDataset
from pandawms.wire.checks import decode_document
from pandawms.wire.document import TaskDocument

WHO = str(Stage.BROKER)

PARTS_A_LOOK = 4
"""Parts of what generate takes at once that one look shares out: with one nothing is made beside it, with many one task keeps the others waiting."""

GROWING = {"code": "input.growing", "text": "waits for more input files"}
SCOUTS = {"code": "scouts.running", "text": "waits until its scouts are judged"}


@dataclass(frozen=True, slots=True)
class Look:
    """One task as the broker found it: its document with what was ordered, how many units are open, how many make a job, and why none is, if none is."""

    task: tasks.Task
    document: TaskDocument
    open_units: int
    units_per_job: int
    endpoints: frozenset[int]
    avoided: tuple[Avoided, ...]
    waits_for: dict[str, Any] | None = None


async def step(pool: Pool, services: Services) -> int:
    """Looks at tasks without an allocation; returns how many got one. Rules are asked between two transactions: those of plugins may take their time."""
    reassigned = await _reassign(pool, services)
    looks, queues = await _look(pool, services)
    given = 0
    for look in looks:
        async with pool.acquire() as connection, boundary.of_task(connection, WHO, look.task.task_id):
            given += await _broker(connection, services, look, queues)
    return given + reassigned


async def _reassign(pool: Pool, services: Services) -> int:
    """Tasks whose queued jobs were withdrawn are brokered anew."""
    async with pool.acquire() as connection, connection.transaction():
        found = await tasks.take(connection, {TaskStatus.REASSIGNING}, services.options.tasks_per_step)
        for task in found:
            await tasks.move(connection, task.task_id, TaskEvent.ASSIGN, WHO)
        return len(found)


async def _look(pool: Pool, services: Services) -> tuple[list[Look], Sequence[QueueSnapshot]]:
    async with pool.acquire() as connection, connection.transaction():
        due = await brokerage.without_allocation(connection, services.options.tasks_per_step)
        if not due:
            return [], ()
        ids = [task.task_id for task in due]
        ready = await units.ready(connection, ids, PARTS_A_LOOK * services.options.units_per_step)
        inputs = await units.task_datasets(connection, ids)
        avoided = await retry_rules.avoided(connection, ids)
        looks = [
            await _at(connection, task, ready[task.task_id], [d for d in inputs if d.task_id == task.task_id], avoided[task.task_id]) for task in due
        ]  # fmt: skip
        return looks, await queue_snapshots(connection)


async def _at(connection: Connection, task: tasks.Task, ready: units.Ready, inputs: Sequence[TaskDataset], avoided: tuple[Avoided, ...]) -> Look:
    document = applied(decode_document(task.document), task.ordered)
    (source,) = [d for d in inputs if d.is_master]
    outlook = of_task.outlook(document, task.learned, task.ordered, source)
    most_first, n_again, waits_for = None, 0, None
    if of_task.may_scout(document, task.status, task.ordered):
        course = await splitting.course(connection, task.task_id)
        most_first, n_again, waits_for = of_task.scouts(document, task.status, course, outlook.n_jobs), course.n_again, SCOUTS
    n_open = planning.open_units(ready.n_ready, outlook.units_per_job, most_first, n_again)
    if outlook.needs_all and not source.is_complete:
        n_open, waits_for = 0, GROWING
    return Look(task, document, n_open, outlook.units_per_job, await input_endpoints(connection, inputs), avoided, None if n_open else waits_for)


async def _broker(connection: Connection, services: Services, look: Look, queues: Sequence[QueueSnapshot]) -> bool:
    if look.open_units == 0:
        await tasks.explain(connection, look.task.task_id, look.waits_for, services.options.look_again_seconds)
        if look.waits_for is SCOUTS:
            await tasks.touch(connection, [look.task.task_id])  # its last scout may have ended while it was paused or waited
        return False
    picture = task_snapshot(
        look.task, look.document, open_units=look.open_units, units_per_job=look.units_per_job, endpoints=look.endpoints, avoided=look.avoided
    )
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
