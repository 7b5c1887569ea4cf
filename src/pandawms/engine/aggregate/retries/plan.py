"""Decides what becomes of units whose last job failed. Pure.

Each job's failure is matched against the rules once; each of its units gets its own counters and limits. `telling.py` says what was done.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from pandawms.domain.retry_rule import Action, Kind, Rule
from pandawms.engine.aggregate.retries import growing, telling
from pandawms.engine.aggregate.retries.accounting import MOST_FREE, Cost, cost, is_ordered, is_out_of_memory
from pandawms.engine.aggregate.retries.choosing import Chooser, Chosen
from pandawms.engine.aggregate.retries.values import OWN_STEP, Act, Avoidance, Changes, FailedUnit, Failure, FailureKey, Judged, Plan, TaskPicture
from pandawms.store.retry_rules import Decision

MAX_IGNORED = 10
"""How many tries of a unit `ignore` makes free unless the rule says it."""
AVOID_SECONDS = 3600
"""How long a queue is avoided unless the rule says it."""


@dataclass(slots=True)
class _Pass:
    """One pass over the failures of a task, while it is made."""

    task: TaskPicture
    chooser: Chooser
    pairs: list[tuple[FailedUnit, Decision]] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    avoided: dict[int, Avoidance] = field(default_factory=dict)


def plan(task: TaskPicture, rules: Sequence[Rule], failures: Mapping[Any, Failure], units: Sequence[FailedUnit],
         clock: Callable[[], float] = perf_counter) -> Plan:  # fmt: skip
    """Decides about all units; `failures` tells, by their `failure`, how the job (or the payload) of each of them ended."""
    made = _Pass(task, Chooser(task, rules if task.use_rules else (), clock))
    by_failure: dict[FailureKey, list[FailedUnit]] = {}
    for unit in units:
        by_failure.setdefault(unit.failure, []).append(unit)
    for key, its in by_failure.items():
        _judge(made, failures[key], its)
    level = _level(task, made.pairs)
    if level is not None:
        made.acts.append(telling.raised_task(task, level, sum(after.memory_mb != unit.memory_mb for unit, after in made.pairs)))
    return Plan(tuple(after for _, after in made.pairs), tuple(made.acts), tuple(made.avoided.values()), level, tuple(sorted(made.chooser.slow)))


def _judge(made: _Pass, failure: Failure, units: Sequence[FailedUnit]) -> None:
    chosen = Chosen() if is_ordered(failure.outcome) else made.chooser.choose(failure)
    wanted = changes(made.task, failure, chosen)
    pairs = [(unit, decide(made.task, failure, unit, wanted)) for unit in units]
    made.pairs += pairs
    made.acts += telling.acts(Judged(made.task, failure, wanted, pairs), chosen)
    rule = chosen.acting.get(Kind.PLACE)
    n_again = sum(after.is_again for _, after in pairs)
    if rule is not None and n_again:
        made.acts.append(_place(made, failure, rule, n_again))


def changes(task: TaskPicture, failure: Failure, chosen: Chosen) -> Changes:
    """Returns what the acting rules change for the units of a job."""
    acting = chosen.acting
    limit, ignore = acting.get(Kind.LIMIT), acting.get(Kind.COUNT)
    memory, wall = memory_rule(task, chosen), acting.get(Kind.WALLTIME)
    return Changes(
        limit=None if limit is None else limit.max_attempts or 0,
        ignored=None if ignore is None else ignore.max_ignored or MAX_IGNORED,
        memory=memory,
        memory_mb=None if memory is None else more_memory_mb(task, failure, memory),
        wall_seconds=None if wall is None else more_wall_seconds(task, failure, wall),
        fewer=Kind.INPUTS in acting,
    )


def memory_rule(task: TaskPicture, chosen: Chosen) -> Rule | None:
    """The rule that raises memory: the task's own when it names a step, since nothing is more specific."""
    if task.memory_step_mb is not None:
        return Rule(OWN_STEP, Action.MORE_MEMORY, step_mb=task.memory_step_mb, note="the task file asks for it")
    return chosen.acting.get(Kind.MEMORY)


def more_memory_mb(task: TaskPicture, failure: Failure, rule: Rule) -> int | None:
    """Returns the memory of the next job; None when it does not grow: no out-of-memory outcome, or no room for more."""
    if not is_out_of_memory(failure):
        return None
    if rule.step_mb is None:
        wanted = growing.stepped_memory_mb(failure.memory_mb, failure.cores)
    else:
        offset_mb = task.memory_mb if rule.offset_mb is None else rule.offset_mb
        wanted = growing.linear_memory_mb(offset_mb, rule.step_mb, failure.attempt)
    wanted = growing.bounded(wanted, rule.max_memory_mb, task.max_memory_mb, task.most_memory_mb)
    return wanted if wanted > failure.memory_mb else None


def more_wall_seconds(task: TaskPicture, failure: Failure, rule: Rule) -> int | None:
    """Returns the wall time of the next job; None when it does not grow: it is fixed, or there is no room for more."""
    if task.is_fixed:
        return None
    wanted = growing.longer_seconds(failure.wall_seconds, rule.factor or growing.FACTOR)
    wanted = growing.bounded(wanted, rule.max_wall_seconds, task.most_wall_seconds)
    return wanted if wanted > failure.wall_seconds else None


def decide(task: TaskPicture, failure: Failure, unit: FailedUnit, wanted: Changes) -> Decision:
    """Returns what becomes of one unit.

    `max_attempts` grows only by one, for a try that costs nothing, of which there are at most 50; a unit without another attempt has none left.
    """
    price = cost(failure)
    is_free = _is_free(unit, price, wanted)
    free = unit.free_attempts + is_free
    forgiven = min(unit.failed_attempts, unit.forgiven_failures + _is_forgiven(failure, price, wanted, is_free=is_free))
    limit = unit.max_attempts + is_free
    if wanted.limit is not None:
        limit = min(limit, wanted.limit + free)
    is_again = (
        unit.attempt < limit and not task.has_used_up(unit, forgiven)
        and not is_ordered(failure.outcome) and (failure.outcome.retryable or is_free)
    )  # fmt: skip
    return Decision(
        unit.task_file_id, unit.job_id, is_again, limit if is_again else unit.attempt, forgiven, free,
        memory_mb=_larger(unit.memory_mb, wanted.memory_mb if is_again else None),
        wall_seconds=_larger(unit.wall_seconds, wanted.wall_seconds if is_again else None),
        units_per_job=_size(failure, unit) if wanted.fewer and is_again else unit.units_per_job,
    )  # fmt: skip


def _is_free(unit: FailedUnit, price: Cost, wanted: Changes) -> bool:
    if unit.free_attempts >= MOST_FREE:
        return False
    return price is Cost.NOTHING or (wanted.ignored is not None and unit.free_attempts < wanted.ignored)


def _is_forgiven(failure: Failure, price: Cost, wanted: Changes, *, is_free: bool) -> bool:
    """A closed job was not counted as failed in the first place."""
    return not failure.is_closed and (price is not Cost.FAILURE or (wanted.ignored is not None and is_free))


def _size(failure: Failure, unit: FailedUnit) -> int | None:
    """At most so many units in the next job; what it was where that is no change."""
    fewer = growing.fewer_units(unit.attempt, failure.n_units, unit.units_per_job)
    return fewer if fewer is not None and fewer < failure.n_units else unit.units_per_job


def _larger(one: int | None, other: int | None) -> int | None:
    return max((value for value in (one, other) if value is not None), default=None)


def _level(task: TaskPicture, pairs: Iterable[tuple[FailedUnit, Decision]]) -> int | None:
    """The memory that the whole task is raised to, when this pass raised units and too many of them are raised now."""
    changed = [(unit.memory_mb, after.memory_mb) for unit, after in pairs if after.memory_mb is not None and after.memory_mb != unit.memory_mb]
    if task.is_fixed or not changed:
        return None
    found = dict(task.raised)
    for before, after in changed:
        if before is not None:
            found[before] = found.get(before, 0) - 1
        found[after] = found.get(after, 0) + 1
    return growing.task_memory_mb(found, task.n_units, task.memory_mb)


def _place(made: _Pass, failure: Failure, rule: Rule, n_units: int) -> Act:
    """Avoids the queue of a failure, when that leaves another one; a queue is avoided once a pass."""
    others = made.task.open_queues - made.avoided.keys() - {failure.queue_id}
    if rule.action is Action.OTHER_REPLICA and not failure.has_other_copy:
        return telling.placed(failure, rule, n_units, f"there is no copy of its inputs that {failure.queue} does not read")
    if not others:
        return telling.placed(failure, rule, n_units, f"no queue but {failure.queue} is open to the task")
    seconds = rule.avoid_seconds or AVOID_SECONDS
    made.avoided.setdefault(failure.queue_id, Avoidance(failure.queue_id, seconds, telling.avoidance(failure, rule)))
    return telling.placed(failure, rule, n_units, f"queue {failure.queue} is avoided for {seconds} s", seconds)
