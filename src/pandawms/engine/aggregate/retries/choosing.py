"""Decides which rules are for a failure, and which of them act. Pure but for the clock that it is given."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from pandawms.domain.outcome import MESSAGE_CHARACTERS, Outcome
from pandawms.domain.retry_rule import Kind, Mode, Rule
from pandawms.engine.aggregate.retries.values import Failure, TaskPicture

BUDGET_SECONDS = 0.2
"""How long the expressions of one rule may take in one pass over a task."""

NOTHING = re.compile(r"(?!)")
"""Found nowhere."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The rules for a failure: the one of each kind that acts, and those that are only written down."""

    acting: dict[Kind, Rule] = field(default_factory=dict)
    logged: tuple[Rule, ...] = ()


@dataclass(slots=True)
class Chooser:
    """Chooses rules for the failures of one task, in one pass.

    Failures that look the same to the rules are judged once. `clock` gives seconds; a rule whose expressions take longer than `budget_seconds` altogether is
    left out from then on and named in `slow`, as is one whose expression cannot be read.
    """

    task: TaskPicture
    rules: Sequence[Rule]
    clock: Callable[[], float]
    budget_seconds: float = BUDGET_SECONDS
    slow: set[str] = field(default_factory=set)
    _spent: dict[str, float] = field(default_factory=dict)
    _known: dict[tuple[Outcome, str], Chosen] = field(default_factory=dict)
    _candidates: dict[tuple[str, int, str], list[Rule]] = field(default_factory=dict)
    _compiled: dict[str, re.Pattern[str]] = field(default_factory=dict)

    def choose(self, failure: Failure) -> Chosen:
        """Returns the rules for a failure."""
        key = failure.outcome, failure.queue
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._choose(failure)
        return found

    def _choose(self, failure: Failure) -> Chosen:
        matching = [rule for rule in self._possible(failure) if self._says(rule, failure.outcome.message)]
        logged = tuple(rule for rule in matching if rule.mode is Mode.LOG_ONLY)
        return Chosen(winners(rule for rule in matching if rule.mode is Mode.ACTIVE), logged)

    def _possible(self, failure: Failure) -> list[Rule]:
        """The rules that fit but for the message; few, and the same for all failures of a code at a queue."""
        outcome = failure.outcome
        key = outcome.domain, outcome.code, failure.queue
        if key not in self._candidates:
            self._candidates[key] = [rule for rule in self.rules if is_possible(rule, self.task, outcome, failure.queue)]
        return self._candidates[key]

    def _says(self, rule: Rule, message: str) -> bool:
        if rule.pattern is None:
            return True
        if rule.name in self.slow:
            return False
        begun = self.clock()
        found = self._expression(rule, rule.pattern).search(message[:MESSAGE_CHARACTERS]) is not None
        spent = self._spent[rule.name] = self._spent.get(rule.name, 0.0) + self.clock() - begun
        if spent > self.budget_seconds:
            self.slow.add(rule.name)
        return found

    def _expression(self, rule: Rule, pattern: str) -> re.Pattern[str]:
        """The compiled expression; one that is none to this version of Python (rows outlive versions) finds nothing, and its rule is left out."""
        if pattern not in self._compiled:
            try:
                self._compiled[pattern] = re.compile(pattern, re.DOTALL)
            except re.error:
                self._compiled[pattern] = NOTHING
                self.slow.add(rule.name)
        return self._compiled[pattern]


def is_possible(rule: Rule, task: TaskPicture, outcome: Outcome, queue: str) -> bool:
    """Whether a rule is for failures of this code of this task at this queue, whatever the message says."""
    return (
        rule.mode is not Mode.OFF
        and rule.domain in (None, outcome.domain)
        and rule.code in (None, outcome.code)
        and rule.community in (None, task.community)
        and rule.task_type in (None, task.type)
        and (rule.task_name is None or fnmatchcase(task.name, rule.task_name))
        and (rule.queue is None or fnmatchcase(queue, rule.queue))
    )


def winners(rules: Iterable[Rule]) -> dict[Kind, Rule]:
    """Returns the rule of each kind that acts, of those that match."""
    found: dict[Kind, Rule] = {}
    for rule in sorted(rules, key=rank):
        found.setdefault(rule.kind, rule)
    return found


def rank(rule: Rule) -> tuple[object, ...]:
    """What rules of one kind are sorted by, the one that acts first: more scope; then the smaller limit, or more conditions; then the operators' own."""
    if rule.kind is Kind.LIMIT:
        return -rule.n_scopes, rule.max_attempts or 0, rule.is_built_in, rule.name
    return -rule.n_scopes, -rule.n_conditions, rule.is_built_in, bound(rule), rule.name


def bound(rule: Rule) -> float:
    """The bound that a rule sets to what it changes; without one it is larger than any."""
    given = (rule.max_memory_mb, rule.max_wall_seconds, rule.avoid_seconds, rule.max_ignored)
    return min((float(value) for value in given if value is not None), default=float("inf"))


def in_force(built_in: Iterable[Rule], own: Iterable[Rule]) -> list[Rule]:
    """Returns the whole table: the operators' rules, and those built-in ones whose name none of them has."""
    own = list(own)
    replaced = {rule.name for rule in own}
    return own + [rule for rule in built_in if rule.name not in replaced]
