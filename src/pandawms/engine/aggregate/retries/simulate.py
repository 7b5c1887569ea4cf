"""Asks what rules would have done to failures of the past, beside those that are in force. Pure; nothing is changed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter

from pandawms.domain.retry_rule import Action, Kind, Mode, Rule
from pandawms.engine.aggregate.retries.accounting import is_ordered
from pandawms.engine.aggregate.retries.choosing import Chooser, in_force
from pandawms.engine.aggregate.retries.plan import changes, memory_rule
from pandawms.engine.aggregate.retries.values import Changes, Failure, TaskPicture

EXAMPLES = 5
"""Failures that are shown for each rule."""
NO_LIMIT_SECONDS = 60.0
"""How long the expressions of one rule may take over all the failures."""


@dataclass(frozen=True, slots=True)
class Past:
    """A failure of the past and its task; `followers` are the jobs that tried the same again, each with whether it finished."""

    task_id: int
    failure: Failure
    followers: tuple[tuple[int, bool], ...] = ()


@dataclass(slots=True)
class Effect:
    """What one rule would have done; the numbers mean what those of wire.retry_rule.RuleEffect do."""

    rule: Rule
    n_matched: int = 0
    n_acting: int = 0
    tasks: set[int] = field(default_factory=set)
    saved_attempts: int = 0
    lost_successes: int = 0
    extra_attempts: int = 0
    extra_memory_mb: int = 0
    examples: list[tuple[Past, str]] = field(default_factory=list)
    _prevented: set[int] = field(default_factory=set)

    def prevent(self, past: Past) -> None:
        """Notes that what followed on a failure would not have been."""
        for job_id, is_finished in past.followers:
            if job_id not in self._prevented:
                self._prevented.add(job_id)
                self.saved_attempts += 1
                self.lost_successes += is_finished

    def was_prevented(self, past: Past) -> bool:
        """Whether the job would not have been there to fail."""
        return past.failure.job_id in self._prevented


def simulate(table: Sequence[Rule], tried: Iterable[Rule], past: Iterable[Past], tasks: Mapping[int, TaskPicture],
             clock: Callable[[], float] = perf_counter) -> list[Effect]:  # fmt: skip
    """Returns what each of the tried rules would have done, as if it were active, to failures in the order in which they happened."""
    rules = [replace(rule, mode=Mode.ACTIVE) for rule in tried]
    effects = [Effect(rule) for rule in rules]
    everything = in_force([rule for rule in table if rule.mode is Mode.ACTIVE], rules)
    together: dict[int, Chooser] = {}
    alone: dict[tuple[int, str], Chooser] = {}
    for each in past:
        task = tasks[each.task_id]
        if not task.use_rules or is_ordered(each.failure.outcome):
            continue
        chooser = together.setdefault(each.task_id, Chooser(task, everything, clock, NO_LIMIT_SECONDS))
        for effect in effects:
            own = alone.setdefault((each.task_id, effect.rule.name), Chooser(task, [effect.rule], clock, NO_LIMIT_SECONDS))
            if effect.was_prevented(each):
                effect.prevent(each)
            elif own.choose(each.failure).acting:
                _note(effect, each, task, chooser)
    return effects


def _note(effect: Effect, past: Past, task: TaskPicture, chooser: Chooser) -> None:
    effect.n_matched += 1
    effect.tasks.add(past.task_id)
    chosen, rule = chooser.choose(past.failure), effect.rule
    if chosen.acting.get(rule.kind) is not rule or (rule.kind is Kind.MEMORY and memory_rule(task, chosen) is not rule):
        return
    effect.n_acting += 1
    wanted = changes(task, past.failure, chosen)
    if _stops(rule, past.failure):
        effect.prevent(past)
    elif rule.action is Action.IGNORE and not past.followers:
        effect.extra_attempts += 1
    elif rule.kind is Kind.MEMORY and wanted.memory_mb is not None:
        effect.extra_memory_mb += wanted.memory_mb - past.failure.memory_mb
    if len(effect.examples) < EXAMPLES:
        effect.examples.append((past, _would(rule, past.failure, wanted)))


def _stops(rule: Rule, failure: Failure) -> bool:
    return rule.kind is Kind.LIMIT and failure.attempt >= (rule.max_attempts or 0)


def _would(rule: Rule, failure: Failure, wanted: Changes) -> str:
    if rule.kind is Kind.MEMORY:
        return f"memory {failure.memory_mb} -> {wanted.memory_mb or failure.memory_mb} MB"
    if rule.kind is Kind.WALLTIME:
        return f"wall time {failure.wall_seconds} -> {wanted.wall_seconds or failure.wall_seconds} s"
    if rule.kind is Kind.LIMIT:
        return "no further attempt" if _stops(rule, failure) else f"at most {rule.max_attempts} attempts; this was attempt {failure.attempt}"
    return rule.action.meaning
