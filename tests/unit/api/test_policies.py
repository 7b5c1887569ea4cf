"""Policies are pure: who, action, thing."""

from collections.abc import Callable

import pytest

from pandawms.api import policies
from pandawms.api.policies import Action
from pandawms.domain.errors import Denied
from pandawms.domain.identity import Who

ADA = Who(1, "ada", "atlas", scopes=frozenset({"user"}))
PRODUCER = Who(2, "pia", "atlas", roles=frozenset({"production"}), scopes=frozenset({"user"}))
OPERATOR = Who(3, "olga", "atlas", scopes=frozenset({"operator"}))
PILOT = Who(1, "ada", "atlas", scopes=frozenset({"pilot"}), queue="q1")


def denied(call: Callable[[], None]) -> bool:
    """Whether a policy refuses."""
    try:
        call()
    except Denied as error:
        assert error.allowed
        assert error.hint
        return True
    return False


@pytest.mark.parametrize("who", [ADA, PRODUCER, OPERATOR, PILOT])
def test_each_scope_opens_its_own_actions_only(who: Who) -> None:
    opened = {action for action in Action if not denied(lambda action=action: policies.require(who, action))}  # type: ignore[misc]  # a lambda's default
    users = {Action.LOOK, Action.SUBMIT, Action.COMMAND, Action.STORE, Action.MANAGE_TOKENS, Action.FETCH_SANDBOX, Action.MEASURE}
    always = {Action.PUBLIC, Action.KNOW_ONESELF}
    expected = {"pilot": {Action.WORK, Action.FETCH_SANDBOX}, "user": users, "operator": users | {Action.OPERATE}}
    assert opened == always | expected[min(who.scopes)]


def test_owners_producers_and_operators_command() -> None:
    assert not denied(lambda: policies.command(ADA, 1, "ada", "atlas"))
    assert denied(lambda: policies.command(ADA, 9, "bob", "atlas"))
    assert not denied(lambda: policies.command(PRODUCER, 9, "bob", "atlas"))
    assert denied(lambda: policies.command(PRODUCER, 9, "bob", "rubin"))
    assert not denied(lambda: policies.command(OPERATOR, 9, "bob", "rubin"))


def test_users_see_their_community_and_operators_all() -> None:
    assert policies.may_see(ADA, "atlas")
    assert not policies.may_see(ADA, "rubin")
    assert not policies.may_see(Who(4, "nobody", ""), "")
    assert policies.may_see(OPERATOR, "rubin")


def test_users_write_to_their_own_scope_only() -> None:
    assert not denied(lambda: policies.write_scope(ADA, "user.ada"))
    assert denied(lambda: policies.write_scope(ADA, "user.adam"))
    assert denied(lambda: policies.write_scope(ADA, "mc"))
    assert not denied(lambda: policies.write_scope(OPERATOR, "mc"))


def test_a_pilot_works_for_its_own_queue_only() -> None:
    assert not denied(lambda: policies.use_queue(PILOT, "q1"))
    assert denied(lambda: policies.use_queue(PILOT, "q2"))
    assert denied(lambda: policies.use_queue(ADA, "q1"))


def test_users_make_only_tokens_like_their_own() -> None:
    assert not denied(lambda: policies.give_scopes(ADA, ("user",), "ada"))
    assert denied(lambda: policies.give_scopes(ADA, ("user",), "bob"))
    assert denied(lambda: policies.give_scopes(ADA, ("user", "operator"), "ada"))
    assert not denied(lambda: policies.give_scopes(OPERATOR, ("pilot",), "bob"))
