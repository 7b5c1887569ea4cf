"""Judges the failures of a task: reads them, has the plan decide, and changes units, task and what is kept."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import structlog

from pandawms.domain.retry_rule import Kind, Mode, Rule
from pandawms.engine.aggregate.retries import picture
from pandawms.engine.aggregate.retries.choosing import in_force
from pandawms.engine.aggregate.retries.defaults import BUILT_IN
from pandawms.engine.aggregate.retries.plan import plan
from pandawms.engine.aggregate.retries.values import Act, Failure, FailureKey, Plan, TaskPicture
from pandawms.engine.services import Services
from pandawms.store import payloads, retry_rules, tasks, units
from pandawms.store.database import Connection
from pandawms.store.retry_rules import Done, Unjudged
from pandawms.wire.checks import decode_document
from pandawms.wire.document_view import has_payloads

log = structlog.get_logger()

MOST_JUDGED = 20_000
"""Units that one pass judges; what is left is judged at the task's next touch, which the pass asks for."""

MOST_LOOKED_UP = 100
"""Failed jobs whose inputs are looked up, to know which queues can read them."""


async def retry(connection: Connection, services: Services, task: tasks.Task) -> int:
    """Judges units of a task whose last job failed: each is ready again or failed for good. Returns how many.

    The caller's transaction holds the task (`tasks.hold`). No unit is tried again, and none counts as failed for good, before this.
    """
    waiting = await retry_rules.unjudged(connection, task.task_id, MOST_JUDGED)
    if not waiting:
        return 0
    own = await _own_failures(connection, task, waiting)
    failures = await _failures(connection, [row for row in waiting if (row.job_id, row.task_file_id) not in own])
    sizes = Counter(row.job_id for row in waiting)
    failures |= {(payload.job_id, payload.n): picture.payload_failure(payload, sizes[payload.job_id]) for payload in own.values()}
    rules = in_force(BUILT_IN, [row.rule for row in await retry_rules.rules(connection)])
    readers = await retry_rules.readers(connection, _about_place(rules, failures)[:MOST_LOOKED_UP])
    task_picture = await _picture(connection, task, readers)
    places = {pair: payload.n for pair, payload in own.items()}
    decided = plan(task_picture, rules, failures, [picture.unit(row, places.get((row.job_id, row.task_file_id))) for row in waiting])
    await _apply(connection, task.task_id, decided)
    if len(waiting) == MOST_JUDGED:
        await tasks.touch(connection, [task.task_id])
    return len(waiting)


async def _own_failures(connection: Connection, task: tasks.Task, waiting: Sequence[Unjudged]) -> dict[tuple[int, int], payloads.FailedPayload]:
    """How the payloads of units failed, by job and unit; nothing for those whose whole job failed."""
    if not has_payloads(decode_document(task.document)):
        return {}
    return await payloads.failures(connection, [(row.job_id, row.task_file_id) for row in waiting])


async def _failures(connection: Connection, waiting: Sequence[Unjudged]) -> dict[FailureKey, Failure]:
    sizes = Counter(row.job_id for row in waiting)
    jobs = await retry_rules.failures(connection, sorted(sizes))
    copies = await retry_rules.with_other_copies(connection, [job for job in jobs.values() if picture.is_about_data(job)])
    return {job_id: picture.failure(jobs[job_id], copies, n_units) if job_id in jobs else picture.gone(job_id) for job_id, n_units in sizes.items()}


def _about_place(rules: Sequence[Rule], failures: Mapping[FailureKey, Failure]) -> list[int]:
    """The jobs for which a rule may have a queue avoided."""
    places = {(rule.domain, rule.code) for rule in rules if rule.kind is Kind.PLACE and rule.mode is Mode.ACTIVE}
    given = {(f.outcome.domain, f.outcome.code) for f in failures.values()}
    concerned = {(domain, code) for domain, code in given if places & {(domain, code), (domain, None), (None, None)}}
    return list(dict.fromkeys(f.job_id for f in failures.values() if (f.outcome.domain, f.outcome.code) in concerned))


async def _picture(connection: Connection, task: tasks.Task, readers: Collection[int] | None) -> TaskPicture:
    avoided = (await retry_rules.avoided(connection, [task.task_id]))[task.task_id]
    masters = [source for source in await units.task_datasets(connection, [task.task_id]) if source.is_master]
    return picture.task_picture(
        decode_document(task.document), task_id=task.task_id, community=task.community, learned=task.learned, ordered=task.ordered,
        slots=await retry_rules.slots(connection), avoided={queue.queue for queue in avoided}, n_units=sum(source.n_listed for source in masters),
        readers=readers, raised=await retry_rules.raised(connection, task.task_id),
    )  # fmt: skip


async def _apply(connection: Connection, task_id: int, decided: Plan) -> None:
    """Units first, then the task, then its allocations: the order in which everybody takes them."""
    await retry_rules.settle(connection, decided.decisions)
    await retry_rules.keep(connection, task_id, [done(act) for act in decided.acts])
    if decided.task_memory_mb is not None:
        await retry_rules.raise_task(connection, task_id, decided.task_memory_mb)
    await retry_rules.avoid(connection, task_id, {each.queue_id: (each.seconds, each.reason) for each in decided.avoided})
    if decided.slow:
        log.warning("retry_rule.slow", task_id=task_id, rules=decided.slow)


def done(act: Act) -> Done:
    """Returns an act as it is kept."""
    name, version = (None, None) if act.rule is None else (act.rule.name, act.rule.version)
    return Done(act.job_id, act.kind.value, act.action.value, name, version, act.is_applied, act.n_units, act.before, act.after, act.reason)
