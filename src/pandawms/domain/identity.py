"""Who asks: the value that every policy is asked with."""

from __future__ import annotations

from dataclasses import dataclass, field

from pandawms.domain.machine import Word


class Scope(Word):
    """What a token is for."""

    USER = "user", "submit tasks, look, and command what is one's own"
    PILOT = "pilot", "claim jobs of one queue and speak for them"
    OPERATOR = "operator", "describe queues, make tokens, command everything"


class Role(Word):
    """What a person may do beyond their own tasks."""

    PRODUCTION = "production", "command all tasks of the community or group"
    ADMINISTRATOR = "administrator", "manage users, queues and shares"


@dataclass(frozen=True)
class Who:
    """A caller: the person or robot behind a token, what the token may do, and for a pilot's token the one queue it is for."""

    user_id: int
    name: str
    community: str
    groups: frozenset[str] = field(default_factory=frozenset)
    roles: frozenset[str] = field(default_factory=frozenset)
    scopes: frozenset[str] = field(default_factory=frozenset)
    queue: str | None = None

    def has(self, scope: Scope) -> bool:
        """Whether the token carries this scope; an operator's token carries the user's too."""
        return scope in self.scopes or (scope == Scope.USER and Scope.OPERATOR in self.scopes)
