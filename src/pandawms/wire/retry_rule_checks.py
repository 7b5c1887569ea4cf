"""What a retry rule must fulfil beyond its types, and how it becomes the value that the engine uses. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from pandawms.domain.codes import Code, Domain
from pandawms.domain.errors import Invalid, did_you_mean
from pandawms.domain.outcome import BY_NAME, BY_NUMBER
from pandawms.domain.retry_rule import PARAMETERS, Action, Mode, Rule
from pandawms.wire.patterns import checked_pattern
from pandawms.wire.retry_rule import RetryRulePatch, RetryRuleSpec, RuleMatch, RuleParameters, RuleScope

PARAMETER_NAMES = RuleParameters.__struct_fields__


def checked_rule(spec: RetryRuleSpec, prefix: str = "", version: int = 1) -> Rule:
    """Returns the rule; else raises the first Invalid, which carries the others in `errors`. `prefix` stands before the names of fields."""
    found = list(_problems(spec, prefix))
    if found:
        first, *others = found
        raise Invalid(first.detail, code=first.code, field=first.field, value=first.value, allowed=first.allowed, hint=first.hint, errors=others)
    domain, code = resolved(spec.match, prefix)
    given = {name: getattr(spec, name) for name in PARAMETER_NAMES}
    scope = msgspec.structs.asdict(spec.scope)
    return Rule(spec.name, Action(spec.action), domain, code, spec.match.pattern, **scope, **given, mode=Mode(spec.mode), version=version, note=spec.note)


def spec_of(rule: Rule) -> RetryRuleSpec:
    """Returns a rule as it would be written."""
    return RetryRuleSpec(
        name=rule.name,
        action=rule.action.value,
        mode=rule.mode.value,
        note=rule.note,
        match=match_of(rule),
        scope=scope_of(rule),
        **{name: getattr(rule, name) for name in PARAMETER_NAMES},
    )


def match_of(rule: Rule) -> RuleMatch:
    """Returns the conditions of a rule as they would be written, its code by name where it has one."""
    row = BY_NUMBER.get((rule.domain or "", rule.code)) if rule.code is not None else None
    return msgspec.convert({"domain": rule.domain, "code": row.name.lower() if row else rule.code, "pattern": rule.pattern}, RuleMatch)


def scope_of(rule: Rule) -> RuleScope:
    """Returns the scope of a rule as it would be written."""
    return msgspec.convert({name: getattr(rule, name) for name in RuleScope.__struct_fields__}, RuleScope)


def patched(spec: RetryRuleSpec, patch: RetryRulePatch) -> RetryRuleSpec:
    """Returns the rule with the changes; parameters that its action does not take any more are gone when the action changed."""
    given = {name: value for name, value in msgspec.structs.asdict(patch).items() if value is not msgspec.UNSET and name != "version"}
    kept = msgspec.structs.asdict(spec)
    if given.get("action", spec.action) != spec.action:
        kept |= dict.fromkeys(PARAMETER_NAMES)
    return RetryRuleSpec(**(kept | given))


def resolved(match: RuleMatch, prefix: str = "") -> tuple[str | None, int | None]:
    """Returns domain and number of what a rule matches. Raises Invalid for a code that is unknown, or of several domains of which none is named."""
    if match.code is None:
        return match.domain, None
    row = _row(match, prefix)
    if match.domain is not None and row.domain != match.domain:
        raise Invalid(
            f"{prefix}match: code {row.name.lower()} belongs to domain {row.domain}",
            code="rule.contradiction",
            field=f"{prefix}match.domain",
            value=match.domain,
            allowed=str(row.domain),
            hint="leave out the domain: the code says it",
        )
    return str(row.domain), row.number


def _row(match: RuleMatch, prefix: str) -> Code:
    field = f"{prefix}match.code"
    if isinstance(match.code, str):
        if match.code in BY_NAME:
            return BY_NAME[match.code]
        near = did_you_mean(match.code, BY_NAME)
        hint = f"did you mean {near}?" if near else "docs/reference/error-codes.md lists them"
        raise Invalid(
            f"{field}: there is no code {match.code}", code="rule.unknown_code", field=field, value=match.code, allowed="a name or number of a code", hint=hint
        )
    rows = [code for code in Code if code.number == match.code and match.domain in (None, code.domain)]
    if len(rows) == 1:
        return rows[0]
    names = ", ".join(f"{code.name.lower()} ({code.domain})" for code in rows)
    detail = f"code {match.code} means {len(rows)} things" if rows else f"there is no code {match.code}" + (f" in {match.domain}" if match.domain else "")
    detail = f"{field}: {detail}"
    hint = "write the name, or the domain beside the number" if rows else "docs/reference/error-codes.md lists them"
    raise Invalid(detail, code="rule.unknown_code", field=field, value=match.code, allowed=names or "a name or number of a code", hint=hint)


def _problems(spec: RetryRuleSpec, prefix: str) -> Iterator[Invalid]:
    yield from _match(spec, prefix)
    yield from _parameters(spec, prefix)
    yield from _sense(spec, prefix)


def _match(spec: RetryRuleSpec, prefix: str) -> Iterator[Invalid]:
    match = spec.match
    if match.domain is None and match.code is None and match.pattern is None:
        yield Invalid(
            f"{prefix}match is empty: a rule must say which failures it is for",
            code="rule.no_match",
            field=f"{prefix}match",
            allowed="at least one of domain, code, pattern",
            hint="write match: {code: out_of_time}",
        )
    try:
        domain, _ = resolved(match, prefix)
    except Invalid as error:
        yield error
    else:
        if domain in (Domain.USER, Domain.NONE):
            hint = "jobs that a user or an operator ended are not tried again, whatever rules say"
            yield Invalid(
                f"{prefix}match: no rule acts on domain {domain}",
                code="rule.user_code",
                field=f"{prefix}match.code",
                value=match.code,
                allowed="another code",
                hint=hint,
            )
    if match.pattern is not None:
        try:
            checked_pattern(match.pattern, f"{prefix}match.pattern")
        except Invalid as error:
            yield error


def _parameters(spec: RetryRuleSpec, prefix: str) -> Iterator[Invalid]:
    allowed = PARAMETERS[Action(spec.action)]
    words = ", ".join(sorted(allowed)) or "none"
    for name in PARAMETER_NAMES:
        value = getattr(spec, name)
        if value is not None and name not in allowed:
            takers = ", ".join(str(action) for action, names in PARAMETERS.items() if name in names)
            yield Invalid(
                f"{prefix}{name}: {spec.action} takes no such parameter",
                code="rule.parameter",
                field=f"{prefix}{name}",
                value=value,
                allowed=words,
                hint=f"it belongs to {takers}: leave it out, or change action",
            )
    if spec.action == "limit_attempts" and spec.max_attempts is None:
        hint = "write max_attempts: 2"
        yield Invalid(
            f"{prefix}max_attempts is missing: limit_attempts needs it", code="missing_field", field=f"{prefix}max_attempts", allowed="1 to 50", hint=hint
        )
    if spec.offset_mb is not None and spec.step_mb is None and spec.action == "more_memory":
        hint = "write step_mb, too: memory is offset_mb + step_mb x attempt"
        yield Invalid(
            f"{prefix}offset_mb does nothing without step_mb",
            code="rule.contradiction",
            field=f"{prefix}offset_mb",
            value=spec.offset_mb,
            allowed="both",
            hint=hint,
        )


def _sense(spec: RetryRuleSpec, prefix: str) -> Iterator[Invalid]:
    try:
        domain, _ = resolved(spec.match, prefix)
    except Invalid:
        return
    if spec.action == "more_memory" and domain not in (None, Domain.PAYLOAD):
        yield Invalid(
            f"{prefix}action: failures of domain {domain} are never for want of memory",
            code="rule.contradiction",
            field=f"{prefix}action",
            value=spec.action,
            allowed="more_memory for domain payload only",
            hint="choose another action, or match codes of the payload",
        )
    if spec.action == "other_replica" and domain not in (None, Domain.DATA):
        yield Invalid(
            f"{prefix}action: failures of domain {domain} have nothing to do with copies of inputs",
            code="rule.contradiction",
            field=f"{prefix}action",
            value=spec.action,
            allowed="other_replica for domain data only",
            hint="choose other_queue, or match codes of data",
        )
