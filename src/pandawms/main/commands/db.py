"""Look after the database: bring its schema up to date, say where it stands, check that its books agree, move old jobs to files."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING

from pandawms.cli.exit_codes import ExitCode
from pandawms.main.commands import db_archive, db_check
from pandawms.main.commands.arguments import columns, data_of
from pandawms.main.commands.db_connection import connection

if TYPE_CHECKING:
    from pathlib import Path

    from pandawms.cli.session import Session
    from pandawms.store.migrations.runner import State


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of db."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="upgrade|status|check|archive")
    upgrade = actions.add_parser("upgrade", help="apply the migrations that are missing")
    upgrade.add_argument("--phase", choices=("pre", "post"), help="only those before (pre) or after (post) the new code starts")
    actions.add_parser("status", help="list the migrations and which are applied")
    db_check.configure(actions.add_parser("check", help="exit with 5 unless the schema is this release's and the books agree"))
    db_archive.configure(actions.add_parser("archive", help="move the details of old jobs to Parquet files"))


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Runs one of the actions on the database of the settings."""
    data = data_of(arguments)
    if arguments.action == "upgrade":
        applied = asyncio.run(_upgrade(data, (arguments.phase,) if arguments.phase else ("pre", "post")))
        session.terminal.note(f"applied: {', '.join(applied)}" if applied else "nothing was missing")
        return ExitCode.OK
    if arguments.action == "archive":
        return db_archive.run(arguments, session, data)
    found = asyncio.run(_state(data))
    if arguments.action == "check":
        return db_check.run(arguments, session, data, found)
    rows = [(f"{m.number:05d}", m.phase, m.name, "applied" if m in found.applied else "missing") for m in (*found.applied, *found.missing)]
    session.terminal.table(rows, columns("number", "phase", "name", "state"))
    return ExitCode.OK


async def _upgrade(data: Path, phases: tuple[str, ...]) -> list[str]:
    from pandawms.store.migrations import runner

    async with connection(data) as own:
        return [f"{m.number:05d}_{m.phase}_{m.name}" for m in await runner.upgrade(own, phases)]


async def _state(data: Path) -> State:
    from pandawms.store.migrations import runner

    async with connection(data) as own:
        return await runner.state(own)
