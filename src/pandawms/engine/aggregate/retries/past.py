"""Tries rules on the failures of the last days: reads them, and changes nothing."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pandawms.domain.retry_rule import Rule
from pandawms.engine.aggregate.retries import picture
from pandawms.engine.aggregate.retries.choosing import in_force
from pandawms.engine.aggregate.retries.defaults import BUILT_IN
from pandawms.engine.aggregate.retries.simulate import Effect, Past, simulate
from pandawms.store import retry_rules
from pandawms.store.database import Connection
from pandawms.store.retry_rules import PastFailure, PastTask
from pandawms.wire.checks import decode_document

MOST_FAILURES = 20_000
"""Failures that a simulation looks at, the newest."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What rules would have done, and to what they were put."""

    effects: Sequence[Effect]
    tasks: Mapping[int, PastTask]
    n_failures: int
    is_cut: bool


async def try_rules(connection: Connection, rules: Sequence[Rule], since: datetime) -> Tried:
    """Returns what rules would have done to the failures since then, beside those in force now."""
    found = await retry_rules.newest_failures(connection, since, MOST_FAILURES)
    tasks = await retry_rules.tasks_of(connection, sorted({each.task_id for each in found}))
    followers = _followers(await retry_rules.next_attempts(connection, [each.job.job_id for each in found]))
    table = in_force(BUILT_IN, [row.rule for row in await retry_rules.rules(connection)])
    slots = await retry_rules.slots(connection)
    pictures = {
        task.task_id: picture.task_picture(
            decode_document(task.document), task_id=task.task_id, community=task.community, learned={}, ordered={}, slots=slots, n_units=task.n_units
        )
        for task in tasks.values()
    }
    past = [_past(each, followers) for each in found]
    effects = await asyncio.to_thread(simulate, table, rules, past, pictures)
    return Tried(effects, tasks, len(found), len(found) == MOST_FAILURES)


def _past(each: PastFailure, followers: Mapping[int, tuple[tuple[int, bool], ...]]) -> Past:
    return Past(each.task_id, picture.failure(each.job), followers.get(each.job.job_id, ()))


def _followers(attempts: Iterable[retry_rules.NextAttempt]) -> dict[int, tuple[tuple[int, bool], ...]]:
    found: dict[int, tuple[tuple[int, bool], ...]] = {}
    for attempt in attempts:
        found[attempt.previous_job_id] = (*found.get(attempt.previous_job_id, ()), (attempt.job_id, attempt.status == "finished"))
    return found
