"""`panda db check`: whether the schema is what this release expects, and whether the books agree."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pandawms.cli.exit_codes import ExitCode
from pandawms.main.commands.arguments import columns
from pandawms.main.commands.db_connection import connection

if TYPE_CHECKING:
    from pathlib import Path

    from pandawms.cli.session import Session
    from pandawms.store.audit import Finding, Progress
    from pandawms.store.migrations.runner import State


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of db check."""
    parser.add_argument("--schema", action="store_true", help="look at the migrations only, not at what the tables hold")


def run(arguments: argparse.Namespace, session: Session, data: Path, found: State) -> int:
    """Says whether the schema and the books are right; 5 when they are not."""
    if not found.is_current:
        session.terminal.note(_complaint(found))
        return ExitCode.CONFLICT
    if arguments.schema:
        session.terminal.note("the database is current")
        return ExitCode.OK
    findings = asyncio.run(_audit(data, session))
    _show(session, findings)
    return ExitCode.CONFLICT if findings else ExitCode.OK


def _complaint(found: State) -> str:
    parts = {"missing": [m.number for m in found.missing], "changed": [m.number for m in found.changed], "unknown here": list(found.unknown)}
    return "; ".join(f"migrations {what}: {numbers}" for what, numbers in parts.items() if numbers)


async def _audit(data: Path, session: Session) -> list[Finding]:
    from pandawms.store import audit

    seen: set[str] = set()

    def tell(progress: Progress) -> None:
        if session.terminal.is_tty and progress.what not in seen:
            seen.add(progress.what)
            session.terminal.note(f"looking at {progress.what} …")

    async with connection(data) as own:
        return await audit.run(own, tell)


def _show(session: Session, findings: Sequence[Finding]) -> None:
    """Every rule with how many rows break it, and what some of these look like."""
    from pandawms.store.audit_rules import RULES

    broken = {finding.rule: finding for finding in findings}
    if session.terminal.as_json:
        session.terminal.json([_as_json(rule, broken.get(rule)) for rule in RULES.values()])
        return
    rows = [(str(broken[rule].broken) if rule in broken else "ok", rule) for rule in RULES.values()]
    session.terminal.table(rows, columns("violations", "rule"))
    for finding in findings:
        session.terminal.note(f"{finding.rule}:")
        for sample in finding.samples:
            session.terminal.note("  " + ", ".join(f"{name} {value}" for name, value in sample.items()))
    session.terminal.note(f"{len(findings)} rules are broken" if findings else "the database is current, and its books agree")


def _as_json(rule: str, finding: Finding | None) -> dict[str, Any]:
    return {"rule": rule, "ok": finding is None, "violations": finding.broken if finding else 0, "samples": list(finding.samples) if finding else []}
