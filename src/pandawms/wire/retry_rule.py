"""Retry rules on the wire: what an operator writes, what is shown, and the answer of a simulation."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from pandawms.wire.names import Name

RuleAction = Literal["no_retry", "limit_attempts", "more_memory", "more_walltime", "fewer_inputs", "other_queue", "other_replica", "ignore"]
RuleMode = Literal["active", "log_only", "off"]
RuleDomain = Literal["pilot", "payload", "dispatch", "data", "task"]
TaskType = Literal["events", "pieces", "dataset", "task"]
Glob = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._*?\[\]!-]+$(?!\n)", description="A pattern for names as shells have it.")]
Seconds = Annotated[int, Meta(ge=60, le=2_592_000)]


class RuleMatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which failures a rule is for; all that is given must hold."""

    domain: RuleDomain | None = None
    code: Annotated[int, Meta(ge=1, le=100_000)] | Annotated[str, Meta(min_length=1, max_length=60)] | None = None
    pattern: Annotated[str, Meta(min_length=1, max_length=200, description="A regular expression that is found in the message.")] | None = None


class RuleScope(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which tasks and queues a rule is for; all that is given must hold. A rule with more of them goes before one with fewer."""

    community: Name | None = None
    task_type: Annotated[TaskType, Meta(description="What the first input of the task is.")] | None = None
    task_name: Glob | None = None
    queue: Glob | None = None


class RuleParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The numbers of an action; each belongs to one or two actions."""

    max_attempts: Annotated[int, Meta(ge=1, le=50)] | None = None
    step_mb: Annotated[int, Meta(ge=1, le=10_000_000)] | None = None
    offset_mb: Annotated[int, Meta(ge=0, le=10_000_000)] | None = None
    max_memory_mb: Annotated[int, Meta(ge=1, le=10_000_000)] | None = None
    factor: Annotated[float, Meta(gt=1, le=10)] | None = None
    max_wall_seconds: Annotated[int, Meta(ge=1, le=2_592_000)] | None = None
    avoid_seconds: Seconds | None = None
    max_ignored: Annotated[int, Meta(ge=1, le=50)] | None = None


class RetryRuleSpec(RuleParameters, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule as an operator writes it: for which failures of which tasks, and what to do about them."""

    name: Name
    action: RuleAction
    match: RuleMatch = RuleMatch()
    scope: RuleScope = RuleScope()
    mode: RuleMode = "active"
    note: Annotated[str, Meta(max_length=1000, description="Why the rule is there.")] = ""


class RetryRulePatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to change about a rule; what is not given stays, null takes a parameter away. `version` is that of the rule that was read."""

    version: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    action: RuleAction | msgspec.UnsetType = msgspec.UNSET
    match: RuleMatch | msgspec.UnsetType = msgspec.UNSET
    scope: RuleScope | msgspec.UnsetType = msgspec.UNSET
    mode: RuleMode | msgspec.UnsetType = msgspec.UNSET
    note: Annotated[str, Meta(max_length=1000)] | msgspec.UnsetType = msgspec.UNSET
    max_attempts: Annotated[int, Meta(ge=1, le=50)] | msgspec.UnsetType | None = msgspec.UNSET
    step_mb: Annotated[int, Meta(ge=1, le=10_000_000)] | msgspec.UnsetType | None = msgspec.UNSET
    offset_mb: Annotated[int, Meta(ge=0, le=10_000_000)] | msgspec.UnsetType | None = msgspec.UNSET
    max_memory_mb: Annotated[int, Meta(ge=1, le=10_000_000)] | msgspec.UnsetType | None = msgspec.UNSET
    factor: Annotated[float, Meta(gt=1, le=10)] | msgspec.UnsetType | None = msgspec.UNSET
    max_wall_seconds: Annotated[int, Meta(ge=1, le=2_592_000)] | msgspec.UnsetType | None = msgspec.UNSET
    avoid_seconds: Seconds | msgspec.UnsetType | None = msgspec.UNSET
    max_ignored: Annotated[int, Meta(ge=1, le=50)] | msgspec.UnsetType | None = msgspec.UNSET


class RetryRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule of the table, `match` and `scope` with all fields of RuleMatch and RuleScope.

    A built-in one has version 0 and nobody who made it; `replaces` says that a built-in rule of this name does not act.
    """

    name: str
    action: str
    mode: str
    version: int
    is_built_in: bool
    match: dict[str, Any]
    scope: dict[str, Any]
    parameters: dict[str, int | float]
    note: str = ""
    replaces: bool = False
    created_by: str | None = None
    created_at: datetime | None = None
    changed_by: str | None = None
    changed_at: datetime | None = None


class RuleSet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules to be tried on the failures of the last days, as if they were in the table."""

    rules: Annotated[tuple[RetryRuleSpec, ...], Meta(min_length=1, max_length=100)]
    days: Annotated[float, Meta(gt=0, le=90)] = 3.0


class RuleExample(msgspec.Struct, frozen=True, kw_only=True):
    """A failure that a rule is for, and what the rule would have done."""

    job_id: int
    task_id: int
    task_name: str
    queue: str
    reason: str
    message: str


class RuleEffect(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule would have done.

    `n_matched` failures fit it, of which it acts on `n_acting` (another rule goes before it for the others). `saved_attempts` would not have been made;
    `lost_successes` of those had succeeded. `extra_attempts` there would have been more. `extra_memory_mb` is the memory that raised jobs had got more.
    """

    name: str
    action: str
    n_matched: int
    n_acting: int
    n_tasks: int
    saved_attempts: int = 0
    lost_successes: int = 0
    extra_attempts: int = 0
    extra_memory_mb: int = 0
    examples: tuple[RuleExample, ...] = ()


class Simulation(msgspec.Struct, frozen=True, kw_only=True):
    """What rules would have done to the failures since `since`; nothing was changed. `is_cut` says that only the newest failures were looked at."""

    since: datetime
    n_failures: int
    n_tasks: int
    is_cut: bool
    effects: tuple[RuleEffect, ...]


class RetryAct(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule did about a job, or would have done (`is_applied` false). `rule` is null for what needs no rule."""

    at: datetime
    action: str
    reason: str
    is_applied: bool
    n_units: int
    rule: str | None = None
    rule_version: int | None = None
    job_id: int | None = None
