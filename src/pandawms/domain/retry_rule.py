"""Retry rules: which failures they are for, what they do about them, and when they act.

A rule is a value. It holds conditions on the failure (`domain`, `code`, `pattern`), a scope (`community`, `task_type`, `task_name`, `queue`; nothing given
means everywhere), one action with its parameters, and a mode. docs/explanation/retries.md says which of several rules acts.
"""

from __future__ import annotations

from dataclasses import dataclass

from pandawms.domain.machine import Word


class Kind(Word):
    """What an action changes. For one job one rule of each kind acts."""

    LIMIT = "limit", "how often the inputs are tried again"
    MEMORY = "memory", "the memory of the next job"
    WALLTIME = "walltime", "the wall time of the next job"
    INPUTS = "inputs", "how many inputs the next job has"
    PLACE = "place", "where the next job runs"
    COUNT = "count", "what the try costs"


class Action(Word):
    """What a rule does about a failure."""

    NO_RETRY = "no_retry", "no further attempt"
    LIMIT_ATTEMPTS = "limit_attempts", "at most so many attempts"
    MORE_MEMORY = "more_memory", "the next step of memory, after an out-of-memory outcome"
    MORE_WALLTIME = "more_walltime", "more wall time"
    FEWER_INPUTS = "fewer_inputs", "half, a quarter, one of the inputs after attempts 2, 4 and 7"
    OTHER_QUEUE = "other_queue", "the task avoids the queue of the failure for a while"
    OTHER_REPLICA = "other_replica", "the task avoids the queue when it does not read every copy of the inputs"
    IGNORE = "ignore", "the try costs neither an attempt nor a failure"


class Mode(Word):
    """Whether a rule acts."""

    ACTIVE = "active", "it acts"
    LOG_ONLY = "log_only", "what it would do is written down"
    OFF = "off", "it does nothing"


KIND: dict[Action, Kind] = {
    Action.NO_RETRY: Kind.LIMIT,
    Action.LIMIT_ATTEMPTS: Kind.LIMIT,
    Action.MORE_MEMORY: Kind.MEMORY,
    Action.MORE_WALLTIME: Kind.WALLTIME,
    Action.FEWER_INPUTS: Kind.INPUTS,
    Action.OTHER_QUEUE: Kind.PLACE,
    Action.OTHER_REPLICA: Kind.PLACE,
    Action.IGNORE: Kind.COUNT,
}
"""The kind of every action."""

PARAMETERS: dict[Action, frozenset[str]] = {
    Action.NO_RETRY: frozenset(),
    Action.LIMIT_ATTEMPTS: frozenset({"max_attempts"}),
    Action.MORE_MEMORY: frozenset({"step_mb", "offset_mb", "max_memory_mb"}),
    Action.MORE_WALLTIME: frozenset({"factor", "max_wall_seconds"}),
    Action.FEWER_INPUTS: frozenset(),
    Action.OTHER_QUEUE: frozenset({"avoid_seconds"}),
    Action.OTHER_REPLICA: frozenset({"avoid_seconds"}),
    Action.IGNORE: frozenset({"max_ignored"}),
}
"""The parameters that each action takes."""

TASK_TYPES = ("events", "pieces", "dataset", "task")
"""What the first input of a task is: the types of tasks that a scope may name."""

CONDITIONS = ("domain", "code", "pattern")
SCOPES = ("community", "task_type", "task_name", "queue")


@dataclass(frozen=True)
class Rule:
    """One rule. Conditions and scopes that are None are fulfilled by everything; parameters that are None have the action's default.

    `domain` and `code` are of an outcome, `pattern` is searched for in its message; `task_name` and `queue` are patterns as shells have them. `version` counts
    the changes of an operator's rule and is 0 for a built-in one; `note` says why the rule is there.
    """

    name: str
    action: Action
    domain: str | None = None
    code: int | None = None
    pattern: str | None = None
    community: str | None = None
    task_type: str | None = None
    task_name: str | None = None
    queue: str | None = None
    max_attempts: int | None = None
    step_mb: int | None = None
    offset_mb: int | None = None
    max_memory_mb: int | None = None
    factor: float | None = None
    max_wall_seconds: int | None = None
    avoid_seconds: int | None = None
    max_ignored: int | None = None
    mode: Mode = Mode.ACTIVE
    version: int = 0
    note: str = ""

    @property
    def kind(self) -> Kind:
        """What its action changes."""
        return KIND[self.action]

    @property
    def is_built_in(self) -> bool:
        """Whether it comes with the program."""
        return self.version == 0

    @property
    def n_scopes(self) -> int:
        """How many conditions its scope has."""
        return sum(getattr(self, name) is not None for name in SCOPES)

    @property
    def n_conditions(self) -> int:
        """How many conditions it has on the failure."""
        return sum(getattr(self, name) is not None for name in CONDITIONS)
