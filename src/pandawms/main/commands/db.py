"""Look after the database: bring its schema up to date, say where it stands, check that it is what this release expects."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING

from pandawms.cli.exit_codes import ExitCode
from pandawms.main.commands.arguments import columns, data_of

if TYPE_CHECKING:
    from pathlib import Path

    from pandawms.cli.session import Session
    from pandawms.store.migrations.runner import State


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of db."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="upgrade|status|check")
    upgrade = actions.add_parser("upgrade", help="apply the migrations that are missing")
    upgrade.add_argument("--phase", choices=("pre", "post"), help="only those before (pre) or after (post) the new code starts")
    actions.add_parser("status", help="list the migrations and which are applied")
    actions.add_parser("check", help="exit with 5 unless the database is what this release expects")


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Runs one of the actions on the database of the settings."""
    data = data_of(arguments)
    if arguments.action == "upgrade":
        applied = asyncio.run(_upgrade(data, (arguments.phase,) if arguments.phase else ("pre", "post")))
        session.terminal.note(f"applied: {', '.join(applied)}" if applied else "nothing was missing")
        return ExitCode.OK
    found = asyncio.run(_state(data))
    if arguments.action == "status":
        rows = [(f"{m.number:05d}", m.phase, m.name, "applied" if m in found.applied else "missing") for m in (*found.applied, *found.missing)]
        session.terminal.table(rows, columns("number", "phase", "name", "state"))
        return ExitCode.OK
    session.terminal.note("the database is current" if found.is_current else _complaint(found))
    return ExitCode.OK if found.is_current else ExitCode.CONFLICT


def _complaint(found: State) -> str:
    parts = {"missing": [m.number for m in found.missing], "changed": [m.number for m in found.changed], "unknown here": list(found.unknown)}
    return "; ".join(f"migrations {what}: {numbers}" for what, numbers in parts.items() if numbers)


async def _upgrade(data: Path, phases: tuple[str, ...]) -> list[str]:
    from pandawms.main.settings import database_options, load
    from pandawms.store.database import connect
    from pandawms.store.migrations import runner

    connection = await connect(database_options(load(data), data), "db")
    try:
        return [f"{m.number:05d}_{m.phase}_{m.name}" for m in await runner.upgrade(connection, phases)]
    finally:
        await connection.close()


async def _state(data: Path) -> State:
    from pandawms.main.settings import database_options, load
    from pandawms.store.database import connect
    from pandawms.store.migrations import runner

    connection = await connect(database_options(load(data), data), "db")
    try:
        return await runner.state(connection)
    finally:
        await connection.close()
