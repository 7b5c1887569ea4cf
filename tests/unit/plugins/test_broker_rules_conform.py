"""Every broker rule of the tree passes the suite that foreign ones must pass, and the suite catches what it is there for."""

import os
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from pandawms.domain.snapshot import QueueSnapshot, Rejection, TaskSnapshot
from pandawms.engine.broker.rules import RULES
from pandawms.plugins.broker_rule import BrokerRule
from pandawms.testing.broker_rule import check


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_of_the_tree_conforms(rule: BrokerRule) -> None:
    check(rule)


def test_no_two_rules_have_the_same_name() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)


@dataclass
class Wrong:
    """A rule that does one thing wrong."""

    verdict: Callable[[TaskSnapshot, QueueSnapshot], object]
    name: str = "wrong"

    def judge(self, task: TaskSnapshot, queue: QueueSnapshot) -> Rejection | float:
        return self.verdict(task, queue)  # type: ignore[return-value]  # on purpose


def forgetful() -> Callable[[TaskSnapshot, QueueSnapshot], float]:
    calls: list[int] = []

    def judge(_task: TaskSnapshot, _queue: QueueSnapshot) -> float:
        calls.append(1)
        return float(len(calls))

    return judge


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Wrong(lambda _t, _q: 1.0, name="Two Words"), "not a word"),
        (Wrong(lambda _t, _q: 0.0), "above 0"),
        (Wrong(lambda _t, _q: float("nan")), "finite"),
        (Wrong(lambda _t, _q: True), "neither"),
        (Wrong(lambda _t, _q: None), "neither"),
        (Wrong(lambda _t, _q: Rejection("elsewhere", "wrong", "a reason")), "rejected elsewhere"),
        (Wrong(lambda _t, q: Rejection(q.name, "another", "a reason")), "names the rule another"),
        (Wrong(lambda _t, q: Rejection(q.name, "wrong", "two\nlines")), "one line"),
        (Wrong(lambda _t, q: Rejection(q.name, "wrong", "a reason", limit=[])), "kept as JSON"),  # type: ignore[arg-type]  # on purpose
        (Wrong(forgetful()), "asked again"),
        (Wrong(lambda _t, _q: 1.0 + len(os.listdir("/"))), "not pure"),
    ],
)
def test_the_suite_catches_a_rule_that(rule: BrokerRule, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        check(rule)
