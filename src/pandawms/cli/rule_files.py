"""Files of retry rules: YAML or TOML with one rule, or with several under `rules`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pandawms.cli.commanding import changes_of
from pandawms.cli.yaml_text import parse_yaml
from pandawms.domain.errors import Invalid
from pandawms.wire.decode import decode
from pandawms.wire.retry_rule import RetryRule, RetryRulePatch, RetryRuleSpec
from pandawms.wire.retry_rule_checks import checked_rule


def read_rules(path: Path) -> tuple[RetryRuleSpec, ...]:
    """Reads and checks the rules of a file. Raises Invalid that names the file and the field."""
    tree = _parsed(path)
    given = tree["rules"] if isinstance(tree, dict) and set(tree) == {"rules"} else [tree]
    if not isinstance(given, list) or not given or not all(isinstance(each, dict) for each in given):
        hint = "a rule begins with name: and has action and match"
        raise Invalid(f"{path} holds no rule", code="malformed", field=str(path), allowed="a rule, or rules: with a list of them", hint=hint)
    return tuple(_rule(each, "" if len(given) == 1 else f"rules[{n}].") for n, each in enumerate(given))


def _rule(tree: Mapping[str, Any], prefix: str) -> RetryRuleSpec:
    try:
        spec = decode(RetryRuleSpec, tree)
    except Invalid as error:
        error.field = f"{prefix}{error.field}" if error.field else prefix.rstrip(".") or None
        raise
    checked_rule(spec, prefix)
    return spec


def _parsed(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not text in UTF-8"
        raise Invalid(f"{path}: {reason}", code="file_missing", field="FILE", value=str(path), hint="name a file of rules in YAML or TOML") from None
    if path.suffix != ".toml":
        return parse_yaml(text, str(path))
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"{path} is not TOML: {error}", code="malformed", field=str(path), hint="check quotes and brackets there") from None


def patch_of(rule: RetryRule, changes: Sequence[str], mode: str | None, note: str | None) -> RetryRulePatch:
    """The changes `field=value` (dots lead into match and scope; nothing after the = takes a field away) as what is sent, for the rule as it was read."""
    tree: dict[str, Any] = {"version": rule.version} | changes_of(changes)
    for name, before in (("match", rule.match), ("scope", rule.scope)):
        if isinstance(tree.get(name), dict):
            tree[name] = before | tree[name]
            if name == "match" and "code" in tree[name] and "domain" not in changes_of(changes)["match"]:
                tree[name]["domain"] = None if tree[name]["code"] is not None else tree[name]["domain"]
    tree |= {name: value for name, value in (("mode", mode), ("note", note)) if value is not None}
    return decode(RetryRulePatch, tree)
