"""Retry rules: seen by everybody, changed and tried by operators."""

from __future__ import annotations

from collections.abc import Sequence

from pandawms.client.calls import Call, get, segment, send
from pandawms.client.resource import Resource, Runner, endpoint, paged
from pandawms.client.script import Request
from pandawms.wire.page import Page
from pandawms.wire.retry_rule import RetryRule, RetryRulePatch, RetryRuleSpec, RuleSet, Simulation


def _rules() -> Call[Page[RetryRule]]:
    """All rules by name, the built-in ones too."""
    return get(Page[RetryRule], "/retry-rules")


def _get(name: str) -> Call[RetryRule]:
    """One rule."""
    return get(RetryRule, f"/retry-rules/{segment(name)}")


def _create(rule: RetryRuleSpec) -> Call[RetryRule]:
    """Makes a rule, which acts from now on (operators)."""
    return send("POST", RetryRule, "/retry-rules", rule)


def _change(name: str, patch: RetryRulePatch) -> Call[RetryRule]:
    """Changes a rule (operators)."""
    return send("PATCH", RetryRule, f"/retry-rules/{segment(name)}", patch)


def _remove(name: str) -> Call[None]:
    """Removes a rule of the operators (operators)."""
    return Call(Request("DELETE", f"/retry-rules/{segment(name)}"), lambda _reply: None)


def _simulate(rules: Sequence[RetryRuleSpec], *, days: float = 3.0) -> Call[Simulation]:
    """What rules would have done to the failures of the last days; nothing is changed (operators)."""
    return send("POST", Simulation, "/retry-rules/simulate", RuleSet(rules=tuple(rules), days=days))


class RetryRules(Resource[Runner]):
    """The retry rules of the API."""

    list = paged(_rules)
    get = endpoint(_get)
    create = endpoint(_create)
    change = endpoint(_change)
    remove = endpoint(_remove)
    simulate = endpoint(_simulate)
