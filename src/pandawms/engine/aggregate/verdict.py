"""Decides how a task ends, and whether its goal is reached before the end. Pure: one table, read from the top (semantics 3.10)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pandawms.domain.task import TASK, TaskEvent, TaskStatus

S, E = TaskStatus, TaskEvent

BAD = frozenset({S.FAILED, S.BROKEN, S.ABORTED})
"""Verdicts of a parent after which its child has failed, whatever it did."""
EARLY = frozenset({S.RUNNING, S.MERGING, S.PENDING})
"""Statuses in which a task is ended as soon as its goal is reached."""

OnMiss = Literal["finish", "fail", "exhaust"]


@dataclass(frozen=True, slots=True)
class Goal:
    """How much of the input must be processed, in percent, what follows when it is not, and whether to end when it is."""

    percent: float = 100.0
    on_miss: OnMiss = "finish"
    finish_early: bool = True


@dataclass(frozen=True, slots=True)
class Facts:
    """A task of which no job is left, by units and events of its primary input.

    `parent_status` is where the task stands whose output it reads (None: it has no parent), `is_growing` whether more input may come, `may_be_empty`
    whether the document allows that there is none.
    """

    status: TaskStatus
    n_listed: int
    n_finished: int
    n_failed: int
    n_events: int = 0
    n_events_finished: int = 0
    parent_status: TaskStatus | None = None
    is_growing: bool = False
    may_be_empty: bool = False
    goal: Goal = Goal()

    @property
    def completeness(self) -> float:
        """The part of the input that is processed, in percent: of events where they are known, else of units. An empty input is complete."""
        total, finished = (self.n_events, self.n_events_finished) if self.n_events else (self.n_listed, self.n_finished)
        return 100.0 * finished / total if total else 100.0

    @property
    def is_whole(self) -> bool:
        """Whether every unit was processed."""
        return self.n_finished == self.n_listed

    @property
    def is_input_whole(self) -> bool:
        """Whether what was listed is all that there ever will be: the input does not grow, and the parent made all it should."""
        return not self.is_growing and self.parent_status in (None, S.DONE)

    @property
    def misses_goal(self) -> bool:
        """Whether less was processed than the goal asks for."""
        return self.completeness < self.goal.percent


@dataclass(frozen=True, slots=True)
class Rule:
    """A line of the table: its name, when it holds, the event that follows, and the sentence for the user. What is in braces is filled in."""

    name: str
    holds: Callable[[Facts], bool]
    event: TaskEvent
    text: str


def _judges_goal(facts: Facts, on_miss: OnMiss) -> bool:
    """A task that was asked to finish is not measured by its goal: whoever asked knew what there was (and else could never end an exhausted task)."""
    return facts.status != S.PASSED and facts.goal.on_miss == on_miss


TABLE: tuple[Rule, ...] = (
    Rule("broken", lambda f: f.status == S.TOBROKEN, E.BREAK, "it cannot run as it is written"),
    Rule("aborted", lambda f: f.status in (S.ABORTING, S.TOABORT), E.ABORT, "it was killed"),
    Rule("no_input", lambda f: f.n_listed == 0 and not f.may_be_empty, E.FAIL, "there was no input"),
    Rule("parent_bad", lambda f: f.parent_status in BAD, E.FAIL, "the task whose output it reads is {parent}"),
    Rule("nothing_to_do", lambda f: f.n_listed == 0 and f.is_input_whole, E.COMPLETE, "there was no input, which its document allows"),
    Rule("nothing_done", lambda f: f.n_finished == 0 and f.n_listed > 0, E.FAIL, "none of its {listed} inputs could be processed"),
    Rule("all_done", lambda f: f.is_whole and f.is_input_whole, E.COMPLETE, "all its {listed} inputs were processed"),
    Rule("goal_missed", lambda f: _judges_goal(f, "fail") and f.misses_goal, E.FAIL, "{part} % were processed, its goal is {goal} %"),
    Rule("goal_missed", lambda f: _judges_goal(f, "exhaust") and f.misses_goal, E.EXHAUST, "{part} % were processed, its goal is {goal} %"),
    Rule("parent_incomplete", lambda f: _judges_goal(f, "exhaust") and not f.is_input_whole, E.EXHAUST, "the task whose output it reads is {parent}"),
    Rule("input_incomplete", lambda f: f.is_whole, E.COMPLETE_PARTLY, "all its {listed} inputs were processed, but there may be more: {source}"),
    Rule("partly_done", lambda f: True, E.COMPLETE_PARTLY, "{finished} of its {listed} inputs were processed"),
)
"""The first line that holds decides. The same table is in docs/explanation/verdict.md, which a test compares."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a task ends: the event, the line of the table that decided, and the numbers that say why."""

    event: TaskEvent
    rule: str
    numbers: dict[str, Any]


def verdict(facts: Facts) -> Verdict:
    """Returns how a task ends."""
    rule = next(rule for rule in TABLE if rule.holds(facts))
    numbers = {
        "text": rule.text.format_map(_words(facts)), "rule": rule.name, "inputs": facts.n_listed, "finished": facts.n_finished, "failed": facts.n_failed,
        "events": facts.n_events, "events_finished": facts.n_events_finished, "percent": round(facts.completeness, 3), "goal_percent": facts.goal.percent,
    }  # fmt: skip
    return Verdict(rule.event, rule.name, numbers)


def reaches_goal_early(facts: Facts) -> bool:
    """Whether a task that still runs is to be ended now, because its goal of less than everything is reached.

    Not while its parent runs or its input grows, since then nobody knows of how much the goal is a part; not when the document says finish_early: false.
    """
    is_asked = facts.goal.finish_early and facts.goal.percent < 100
    is_known = not facts.is_growing and facts.n_listed > 0 and (facts.parent_status is None or TASK.is_final(facts.parent_status))
    return is_asked and is_known and facts.status in EARLY and facts.n_finished > 0 and not facts.misses_goal


def fate_of_child(status: TaskStatus) -> Literal["kill", "finish", "wake"]:
    """Returns what becomes of a child when its parent has ended in `status`.

    After aborted or broken, which no retry leaves, the child is killed. After failed it is made to finish at once, and so fails (table above): a retry
    of the parent then takes it along. After anything else it looks at its input again.
    """
    if status in (S.ABORTED, S.BROKEN):
        return "kill"
    return "finish" if status == S.FAILED else "wake"


def _words(facts: Facts) -> dict[str, object]:
    parent = facts.parent_status or "not there"
    return {
        "listed": facts.n_listed, "finished": facts.n_finished, "part": f"{facts.completeness:g}", "goal": f"{facts.goal.percent:g}",
        "parent": str(parent), "source": "the input is still open" if facts.is_growing else f"the task whose output it reads is {parent}",
    }  # fmt: skip
