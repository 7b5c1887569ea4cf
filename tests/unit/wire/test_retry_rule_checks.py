"""A retry rule that makes no sense is refused with field, value, allowed and hint; what is taken comes back as it was written."""

from typing import Any

import msgspec
import pytest

from pandawms.domain.errors import Invalid
from pandawms.domain.retry_rule import Action, Mode, Rule
from pandawms.wire.decode import decode
from pandawms.wire.retry_rule import RetryRulePatch, RetryRuleSpec, RuleMatch
from pandawms.wire.retry_rule_checks import checked_rule, patched, spec_of


def spec(**changes: Any) -> RetryRuleSpec:
    """A rule as it is written."""
    return decode(RetryRuleSpec, {"name": "r", "action": "no_retry", "match": {"code": "out_of_time"}} | changes)


def refusal(prefix: str = "", **changes: Any) -> Invalid:
    """Why a rule is refused."""
    with pytest.raises(Invalid) as caught:
        checked_rule(spec(**changes), prefix)
    assert caught.value.field and caught.value.hint
    return caught.value


def test_a_code_is_a_name_or_a_number_and_says_its_domain() -> None:
    by_name = checked_rule(spec())
    assert (by_name.domain, by_name.code) == ("pilot", 1213)
    assert checked_rule(spec(match={"code": 1213})) == by_name
    assert checked_rule(spec(match={"code": 1213, "domain": "pilot"})) == by_name
    assert checked_rule(spec(match={"code": 100, "domain": "dispatch"})).code == 100


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"match": {}}, "match", "rule.no_match"),
        ({"match": {"code": "out_of_tme"}}, "match.code", "rule.unknown_code"),
        ({"match": {"code": 100}}, "match.code", "rule.unknown_code"),
        ({"match": {"code": 4711}}, "match.code", "rule.unknown_code"),
        ({"match": {"code": "user_kill"}}, "match.code", "rule.user_code"),
        ({"match": {"code": "out_of_time", "domain": "data"}}, "match.domain", "rule.contradiction"),
        ({"match": {"pattern": "(a+)+"}}, "match.pattern", "pattern.slow"),
        ({"match": {"domain": "payload"}, "max_attempts": 2}, "max_attempts", "rule.parameter"),
        ({"action": "limit_attempts"}, "max_attempts", "missing_field"),
        ({"action": "more_memory"}, "action", "rule.contradiction"),
        ({"action": "more_memory", "match": {"domain": "payload"}, "offset_mb": 5}, "offset_mb", "rule.contradiction"),
        ({"action": "other_replica"}, "action", "rule.contradiction"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], field: str, code: str) -> None:
    found = refusal(**changes)
    assert (found.field, found.code) == (field, code)


def test_an_ambiguous_number_names_what_it_may_mean_and_a_mistyped_name_what_is_near() -> None:
    assert "lost_heartbeat (dispatch)" in str(refusal(match={"code": 100}).allowed)
    assert "out_of_time" in str(refusal(match={"code": "out_of_tme"}).hint)


def test_all_that_is_wrong_is_told_at_once_and_with_its_place_in_the_file() -> None:
    found = refusal("rules[3].", action="no_retry", match={"pattern": "(a+)+"}, max_attempts=2, step_mb=5)
    assert [each.field for each in (found, *found.errors)] == ["rules[3].match.pattern", "rules[3].max_attempts", "rules[3].step_mb"]


@pytest.mark.parametrize("wrong", [{"match": {"kode": 1}}, {"acton": "x"}, {"action": "retry"}, {"mode": "on"}, {"factor": 99.0}, {"name": "a b"}])
def test_a_mistyped_key_or_value_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        spec(**wrong)


def test_a_rule_comes_back_as_it_was_written() -> None:
    written = spec(action="more_memory", match={"domain": "payload", "pattern": "x"}, scope={"queue": "q*"}, step_mb=500, mode="log_only", note="why")
    rule = checked_rule(written, version=7)
    assert rule == Rule("r", Action.MORE_MEMORY, "payload", None, "x", queue="q*", step_mb=500, mode=Mode.LOG_ONLY, version=7, note="why")
    assert spec_of(rule) == written


def test_a_patch_changes_what_it_names_and_null_takes_a_parameter_away() -> None:
    before = spec(action="other_queue", avoid_seconds=600, note="a")
    assert patched(before, decode(RetryRulePatch, {"mode": "off"})) == msgspec.structs.replace(before, mode="off")
    assert patched(before, decode(RetryRulePatch, {"avoid_seconds": None})).avoid_seconds is None
    changed = patched(before, decode(RetryRulePatch, {"action": "limit_attempts", "max_attempts": 2, "match": {"code": 1150}}))
    assert (changed.action, changed.max_attempts, changed.avoid_seconds, changed.match) == ("limit_attempts", 2, None, RuleMatch(code=1150))
