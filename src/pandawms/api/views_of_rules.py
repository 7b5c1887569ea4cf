"""From retry rules, and what they did or would have done, to what the API shows. Pure."""

from datetime import datetime

import msgspec

from pandawms.domain.retry_rule import PARAMETERS, Rule
from pandawms.engine.aggregate.retries.past import Tried
from pandawms.engine.aggregate.retries.simulate import Effect
from pandawms.store.retry_rules import Done, RuleRow
from pandawms.wire.retry_rule import RetryAct, RetryRule, RuleEffect, RuleExample, Simulation
from pandawms.wire.retry_rule_checks import match_of, scope_of

SHOWN_CHARACTERS = 120
"""Characters of a message in an example."""


def rule_view(rule: Rule, row: RuleRow | None = None, *, replaces: bool = False) -> RetryRule:
    """A rule of the table; without a row it is built in."""
    parameters = {name: getattr(rule, name) for name in sorted(PARAMETERS[rule.action]) if getattr(rule, name) is not None}
    match, scope = msgspec.structs.asdict(match_of(rule)), msgspec.structs.asdict(scope_of(rule))
    return RetryRule(
        name=rule.name, action=str(rule.action), mode=str(rule.mode), version=rule.version, is_built_in=rule.is_built_in, match=match,
        scope=scope, parameters=parameters, note=rule.note, replaces=replaces, created_by=row.created_by if row else None,
        created_at=row.created_at if row else None, changed_by=row.changed_by if row else None, changed_at=row.changed_at if row else None,
    )  # fmt: skip


def simulation(tried: Tried, since: datetime) -> Simulation:
    """What rules would have done."""
    return Simulation(
        since=since, n_failures=tried.n_failures, n_tasks=len(tried.tasks), is_cut=tried.is_cut, effects=tuple(_effect(each, tried) for each in tried.effects)
    )


def _effect(effect: Effect, tried: Tried) -> RuleEffect:
    return RuleEffect(
        name=effect.rule.name, action=str(effect.rule.action), n_matched=effect.n_matched, n_acting=effect.n_acting, n_tasks=len(effect.tasks),
        saved_attempts=effect.saved_attempts, lost_successes=effect.lost_successes, extra_attempts=effect.extra_attempts,
        extra_memory_mb=effect.extra_memory_mb,
        examples=tuple(
            RuleExample(
                job_id=past.failure.job_id, task_id=past.task_id, task_name=tried.tasks[past.task_id].name, queue=past.failure.queue, reason=reason,
                message=past.failure.outcome.message[:SHOWN_CHARACTERS],
            )
            for past, reason in effect.examples
        ),
    )  # fmt: skip


def act_view(done: Done) -> RetryAct:
    """What was done about a failure."""
    assert done.at is not None, "what is kept has a time"
    return RetryAct(
        at=done.at, action=done.action, reason=done.reason, is_applied=done.is_applied, n_units=done.n_units, rule=done.rule, rule_version=done.rule_version,
        job_id=done.job_id,
    )  # fmt: skip
