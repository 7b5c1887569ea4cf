"""Says what was done about a failure, by which rule and why: the acts that are kept with the job. Pure."""

from collections.abc import Iterable

from pandawms.domain.outcome import Outcome
from pandawms.domain.retry_rule import Action, Kind, Rule
from pandawms.engine.aggregate.retries import growing
from pandawms.engine.aggregate.retries.accounting import Cost, cost, is_out_of_memory
from pandawms.engine.aggregate.retries.choosing import Chosen
from pandawms.engine.aggregate.retries.values import Act, Failure, Judged, TaskPicture


def acts(judged: Judged, chosen: Chosen) -> Iterable[Act]:
    """Returns what was done about a job, and what rules that only log would have done."""
    failure = judged.failure
    yield from _counted(judged, chosen.acting.get(Kind.COUNT))
    yield from _limited(judged, chosen.acting.get(Kind.LIMIT))
    yield from _used_up(judged)
    if judged.n_again:
        yield from _memory(judged)
        yield from _wall(judged, chosen.acting.get(Kind.WALLTIME))
        yield from _inputs(judged, chosen.acting.get(Kind.INPUTS))
    for rule in chosen.logged:
        yield Act(failure.job_id, rule.kind, rule.action, f"{what(failure.outcome)}: {rule.action.meaning}, were the rule active", rule, False, judged.n_units)


def what(outcome: Outcome) -> str:
    """Names an outcome."""
    return f"{outcome.name} ({outcome.domain} {outcome.code})"


def _counted(judged: Judged, rule: Rule | None) -> Iterable[Act]:
    """What a try did not cost; by itself or by a rule."""
    failure = judged.failure
    n_free = sum(after.free_attempts > unit.free_attempts for unit, after in judged.pairs)
    is_own = cost(failure) is Cost.NOTHING
    if n_free:
        reason = f"{what(failure.outcome)}: the try costs no attempt"
        yield Act(failure.job_id, Kind.COUNT, Action.IGNORE, reason, None if is_own else rule, n_units=n_free)
    if rule is not None and not is_own and n_free < judged.n_units:
        reason = f"{what(failure.outcome)}: so many tries were free already that this one counts"
        yield Act(failure.job_id, Kind.COUNT, Action.IGNORE, reason, rule, is_applied=False, n_units=judged.n_units - n_free)


def _limited(judged: Judged, rule: Rule | None) -> Iterable[Act]:
    """Limits that a rule has lowered."""
    if rule is None:
        return
    limit = rule.max_attempts or 0
    lowered = [unit.max_attempts for unit, after in judged.pairs if after.max_attempts < unit.max_attempts and limit + after.free_attempts < unit.max_attempts]
    if lowered:
        text = "no further attempt" if rule.action is Action.NO_RETRY else f"at most {limit} attempts"
        reason = f"{what(judged.failure.outcome)}: {text}"
        yield Act(judged.failure.job_id, Kind.LIMIT, rule.action, reason, rule, n_units=len(lowered), before=max(lowered), after=limit)


def _used_up(judged: Judged) -> Iterable[Act]:
    """Units that end for their failures while they have attempts."""
    task = judged.task
    ended = [unit for unit, after in judged.pairs if unit.attempt < unit.max_attempts and task.has_used_up(unit, after.forgiven_failures)]
    if ended:
        most = task.most_failures(ended[0])
        reason = f"{what(judged.failure.outcome)}: all {most} failures that an input may have are used up"
        yield Act(judged.failure.job_id, Kind.LIMIT, Action.NO_RETRY, reason, None, n_units=len(ended), before=most, after=most)


def _memory(judged: Judged) -> Iterable[Act]:
    rule, failure = judged.wanted.memory, judged.failure
    if rule is not None and (is_out_of_memory(failure) or not rule.is_built_in):
        yield _grown(judged, rule, "memory", "MB", failure.memory_mb, judged.wanted.memory_mb, _no_memory(judged.task, failure, rule))


def _wall(judged: Judged, rule: Rule | None) -> Iterable[Act]:
    if rule is not None:
        why_not = "the task's resources are fixed" if judged.task.is_fixed else "no queue of the task, or the rule, allows more"
        yield _grown(judged, rule, "wall time", "s", judged.failure.wall_seconds, judged.wanted.wall_seconds, why_not)


def _inputs(judged: Judged, rule: Rule | None) -> Iterable[Act]:
    if rule is None:
        return
    fewer = [after.units_per_job for unit, after in judged.pairs if after.units_per_job != unit.units_per_job and after.units_per_job is not None]
    if fewer or not rule.is_built_in:
        yield _grown(judged, rule, "inputs", "a job", judged.failure.n_units, max(fewer, default=None), "after this attempt it has no fewer")


def _grown(judged: Judged, rule: Rule, name: str, unit: str, before: int, after: int | None, why_not: str) -> Act:
    failure = judged.failure
    text = f"{name}: {before} {unit} as before, {why_not}" if after is None else f"{name}: {before} -> {after} {unit}"
    return Act(failure.job_id, rule.kind, rule.action, f"{what(failure.outcome)}: {text}", rule, after is not None, judged.n_again, before, after)


def _no_memory(task: TaskPicture, failure: Failure, rule: Rule) -> str:
    if not is_out_of_memory(failure):
        return "it did not run out of memory"
    bounds = {"the task file": task.max_memory_mb, "the rule": rule.max_memory_mb, "the largest slot of its queues": task.most_memory_mb}
    given = [f"{who} allows {most} MB" for who, most in bounds.items() if most is not None and most <= failure.memory_mb]
    return given[0] if given else "there is no higher step"


def placed(failure: Failure, rule: Rule, n_units: int, text: str, seconds: int | None = None) -> Act:
    """What was done about the place; nothing without seconds."""
    return Act(failure.job_id, Kind.PLACE, rule.action, f"{what(failure.outcome)}: {text}", rule, seconds is not None, n_units, after=seconds)


def avoidance(failure: Failure, rule: Rule) -> str:
    """Why a queue is avoided, for the broker's rejection."""
    return f"job {failure.job_id} failed there with {failure.outcome.name} (rule {rule.name})"


def raised_task(task: TaskPicture, level: int, n_units: int) -> Act:
    """What was done about the whole task."""
    part = f"more than {growing.TOO_MANY_RAISED:.0%} of its {task.n_units} inputs needed more memory"
    return Act(None, Kind.MEMORY, Action.MORE_MEMORY, f"{part}: its jobs get {level} MB", None, n_units=n_units, before=task.memory_mb, after=level)
