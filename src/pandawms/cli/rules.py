"""List, make, change, remove and try the rules by which failures are tried again. Changing them takes a token of an operator."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pandawms.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from pandawms.cli.session import Session
    from pandawms.cli.terminal import Column
    from pandawms.client import Client
    from pandawms.wire.retry_rule import RetryRule, RuleEffect, Simulation

MODES = ("active", "log_only", "off")


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of rules."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ls|show|add|edit|rm|simulate")
    ls = actions.add_parser("ls", help="list the rules, those of the operators and the built-in ones")
    ls.add_argument("--own", action="store_true", help="only those of the operators")
    show = actions.add_parser("show", help="show one rule in full")
    show.add_argument("name", metavar="NAME")
    add = actions.add_parser("add", help="make rules from a YAML or TOML file")
    add.add_argument("file", metavar="FILE", type=Path)
    add.add_argument("--mode", choices=MODES, help="for all rules of the file, in place of what it says")
    edit = actions.add_parser("edit", help="change a rule; a built-in one is replaced by one of its name")
    edit.add_argument("name", metavar="NAME")
    edit.add_argument("--mode", choices=MODES, help="whether it acts")
    edit.add_argument("--note", help="why the rule is there")
    edit.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="as in max_attempts=2 or match.pattern=quota; nothing after the = "
                      "takes it away; may be repeated")  # fmt: skip
    remove = actions.add_parser("rm", help="remove rules of the operators")
    remove.add_argument("names", nargs="+", metavar="NAME")
    simulate = actions.add_parser("simulate", help="say what the rules of a file would have done to the failures of the last days, and do nothing")
    simulate.add_argument("file", metavar="FILE", type=Path)
    simulate.add_argument("--days", type=float, default=3.0, help="how far to look back (default 3)")


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Does what the action says."""
    with session.client() as client:
        if arguments.action == "ls":
            rules = [rule for rule in client.retry_rules.list() if not (arguments.own and rule.is_built_in)]
            session.terminal.table(rules, _columns())
        elif arguments.action == "show":
            _show(session, client.retry_rules.get(arguments.name))
        elif arguments.action == "add":
            session.terminal.table(_add(client, arguments), _columns())
        elif arguments.action == "edit":
            _show(session, _edit(client, arguments))
        elif arguments.action == "rm":
            for name in arguments.names:
                client.retry_rules.remove(name)
                session.terminal.note(f"rule {name} is removed")
        else:
            _simulate(session, client, arguments)
    return ExitCode.OK


def _add(client: Client, arguments: argparse.Namespace) -> list[RetryRule]:
    import msgspec

    from pandawms.cli.rule_files import read_rules

    given = [msgspec.structs.replace(rule, mode=arguments.mode or rule.mode) for rule in read_rules(arguments.file)]
    return [client.retry_rules.create(rule) for rule in given]


def _edit(client: Client, arguments: argparse.Namespace) -> RetryRule:
    from pandawms.cli.rule_files import patch_of

    before = client.retry_rules.get(arguments.name)
    return client.retry_rules.change(arguments.name, patch_of(before, arguments.set, arguments.mode, arguments.note))


def _show(session: Session, rule: RetryRule) -> None:
    fields = {
        "name": rule.name, "action": rule.action, **rule.parameters, "match": _conditions(rule.match), "scope": _conditions(rule.scope) or "every task",
        "mode": rule.mode, "version": rule.version or "built in", "note": rule.note, "created_by": rule.created_by, "created_at": rule.created_at,
        "changed_by": rule.changed_by, "changed_at": rule.changed_at,
    }  # fmt: skip
    session.terminal.record(rule, fields)


def _conditions(given: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in given.items() if value is not None)


def _columns() -> tuple[Column[RetryRule], ...]:
    from pandawms.cli.terminal import Column

    return (
        Column("name", lambda rule: rule.name),
        Column("mode", lambda rule: rule.mode),
        Column("action", lambda rule: rule.action),
        Column("parameters", lambda rule: rule.parameters),
        Column("match", lambda rule: _conditions(rule.match)),
        Column("scope", lambda rule: _conditions(rule.scope)),
        Column("version", lambda rule: rule.version, lambda rule: "built in" if rule.is_built_in else str(rule.version)),
        Column("note", lambda rule: rule.note),
    )


def _simulate(session: Session, client: Client, arguments: argparse.Namespace) -> None:
    from pandawms.cli.rule_files import read_rules

    found = client.retry_rules.simulate(read_rules(arguments.file), days=arguments.days)
    if session.terminal.as_json:
        session.terminal.json(found)
        return
    session.terminal.table(found.effects, _effects())
    session.terminal.note(_summary(found))
    for effect in found.effects:
        for example in effect.examples:
            message = " ".join(example.message.split())
            session.terminal.note(f"  {effect.name}: job:{example.job_id} of {example.task_name} at {example.queue}: {example.reason} ({message})")


def _summary(found: Simulation) -> str:
    cut = ", only the newest of them" if found.is_cut else ""
    return f"{found.n_failures:,} failures of {found.n_tasks:,} tasks since {found.since:%Y-%m-%d %H:%M} UTC{cut}; nothing was changed"


def _effects() -> tuple[Column[RuleEffect], ...]:
    from pandawms.cli.terminal import Column

    return (
        Column("name", lambda effect: effect.name),
        Column("action", lambda effect: effect.action),
        Column("matched", lambda effect: effect.n_matched, is_number=True),
        Column("acting", lambda effect: effect.n_acting, is_number=True),
        Column("tasks", lambda effect: effect.n_tasks, is_number=True),
        Column("saved_attempts", lambda effect: effect.saved_attempts, is_number=True),
        Column("lost_successes", lambda effect: effect.lost_successes, is_number=True),
        Column("extra_attempts", lambda effect: effect.extra_attempts, is_number=True),
        Column("extra_memory_mb", lambda effect: effect.extra_memory_mb, is_number=True),
    )
