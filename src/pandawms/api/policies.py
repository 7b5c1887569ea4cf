"""Who may do what: pure functions of who asks, the action and the thing. What is not allowed here is denied.

Every route names its action in `opt={"policy": …}`; `require` looks at the token's scopes before anything else happens. The other functions are asked by
handlers once they know the thing.
"""

from __future__ import annotations

from enum import StrEnum

from pandawms.domain.command import WHO_MAY, Permit, Verb
from pandawms.domain.errors import Denied
from pandawms.domain.identity import Role, Scope, Who


class Action(StrEnum):
    """What a route lets a caller do."""

    PUBLIC = "public"
    MEASURE = "measure"
    KNOW_ONESELF = "know_oneself"
    LOOK = "look"
    SUBMIT = "submit"
    COMMAND = "command"
    STORE = "store"
    FETCH_SANDBOX = "fetch_sandbox"
    WORK = "work"
    MANAGE_TOKENS = "manage_tokens"
    OPERATE = "operate"


SCOPES: dict[Action, frozenset[Scope]] = {
    Action.PUBLIC: frozenset(),
    Action.MEASURE: frozenset({Scope.USER, Scope.OPERATOR}),
    Action.KNOW_ONESELF: frozenset(Scope),
    Action.LOOK: frozenset({Scope.USER}),
    Action.SUBMIT: frozenset({Scope.USER}),
    Action.COMMAND: frozenset({Scope.USER}),
    Action.STORE: frozenset({Scope.USER}),
    Action.FETCH_SANDBOX: frozenset({Scope.USER, Scope.PILOT}),
    Action.WORK: frozenset({Scope.PILOT}),
    Action.MANAGE_TOKENS: frozenset({Scope.USER}),
    Action.OPERATE: frozenset({Scope.OPERATOR}),
}
"""The scopes of which a token needs one, by action; none are needed for what is public."""


def require(who: Who, action: Action) -> None:
    """Does nothing when the token may do the action at all; else raises Denied that names the scopes which may."""
    allowed = SCOPES[action]
    if not allowed or any(who.has(scope) for scope in allowed):
        return
    words = " or ".join(sorted(map(str, allowed)))
    raise Denied(
        f"this needs a token with scope {words}", code="scope", field="Authorization", value=" ".join(sorted(who.scopes)), allowed=words,
        hint="ask an operator for such a token" if Scope.OPERATOR in allowed else "use a user's token",
    )  # fmt: skip


def is_operator(who: Who) -> bool:
    """Whether the caller may see and command everything."""
    return who.has(Scope.OPERATOR)


def may_see(who: Who, community: str) -> bool:
    """Whether things of a community exist for the caller."""
    return is_operator(who) or (who.community == community and bool(community))


def command(who: Who, owner_id: int, owner: str, community: str) -> None:
    """Raises Denied unless the caller owns the thing, has the production role in its community, or is an operator."""
    if who.user_id == owner_id or is_production(who, community):
        return
    raise Denied(
        f"this belongs to {owner}", code="not_owner", field="owner", value=who.name, allowed=f"{owner}, the production role or an operator",
        hint=f"ask {owner} to do it",
    )  # fmt: skip


def is_production(who: Who, community: str) -> bool:
    """Whether the caller commands all tasks of a community: with its production role, or as an operator."""
    return is_operator(who) or (Role.PRODUCTION in who.roles and who.community == community)


def may_ask(who: Who, verb: Verb, owner_id: int, community: str) -> bool:
    """Whether the caller may give this command to a task: operators and the production role of its community always, its owner as the table says."""
    if is_production(who, community):
        return True
    return WHO_MAY[verb] is Permit.OWNER and who.user_id == owner_id


def ask(who: Who, verb: Verb, owner_id: int, owner: str, community: str) -> None:
    """Raises Denied unless the caller may give this command to a task of this owner."""
    if may_ask(who, verb, owner_id, community):
        return
    if WHO_MAY[verb] is Permit.OWNER:
        command(who, owner_id, owner, community)
    raise Denied(
        f"{verb} is for the production role", code="role", field="roles", value=" ".join(sorted(map(str, who.roles))) or "none",
        allowed="the production role or an operator", hint="ask an operator",
    )  # fmt: skip


def write_scope(who: Who, scope: str) -> None:
    """Raises Denied unless data may be written to the scope: one's own, or any for an operator."""
    own = f"user.{who.name}"
    if is_operator(who) or scope == own:
        return
    raise Denied(f"you may not write to scope {scope}", code="not_owner", field="scope", value=scope, allowed=own, hint=f"use scope {own}")


def use_queue(who: Who, queue: str) -> None:
    """Raises Denied unless the pilot's token is for this queue."""
    if who.queue == queue:
        return
    raise Denied(
        f"this token is not for queue {queue}", code="queue.foreign", field="queue", value=queue, allowed=who.queue or "none",
        hint="start the pilot with the token of its queue",
    )  # fmt: skip


def give_scopes(who: Who, scopes: tuple[str, ...], user: str) -> None:
    """Raises Denied unless the caller may make a token with these scopes for this user: users for themselves and scope user only."""
    if is_operator(who) or (set(scopes) <= {str(Scope.USER)} and user == who.name):
        return
    raise Denied(
        "only operators make such tokens", code="scope", field="scopes", value=" ".join(scopes), allowed=f"user, for {who.name}", hint="ask an operator"
    )
