"""`panda db archive`: moves the details of old jobs out of the database, by hand or from cron."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pandawms.cli.exit_codes import ExitCode
from pandawms.domain.errors import Invalid
from pandawms.main.commands.arguments import columns
from pandawms.main.commands.db_connection import connection

if TYPE_CHECKING:
    from pandawms.cli.session import Session
    from pandawms.engine.watch.archiving import Outlook, Policy, Progress
    from pandawms.store.partitions import Range


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of db archive."""
    parser.add_argument("--dry-run", action="store_true", help="say what would go, and change nothing")
    parser.add_argument("--keep-days", type=float, metavar="DAYS", help="how long details stay, instead of archive.keep_days")
    parser.add_argument("--keep-rows-days", type=float, metavar="DAYS", help="how long narrow rows stay, instead of archive.keep_rows_days")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where the files go, instead of archive.folder")


def run(arguments: argparse.Namespace, session: Session, data: Path) -> int:
    """Archives what may go, or says what would."""
    policy = _policy(arguments, data)
    if arguments.dry_run:
        found = asyncio.run(_outlook(data, policy))
        session.terminal.table(_rows(found), columns("jobs", "n_jobs", "last_ended_at", "then"))
        return ExitCode.OK
    done = asyncio.run(_run(data, policy, session))
    session.terminal.table([(str(span), state) for span, state in done], columns("jobs", "state"))
    return ExitCode.OK


def _policy(arguments: argparse.Namespace, data: Path) -> Policy:
    from pandawms.main.settings import archive_policy, load

    given = archive_policy(load(data), data)
    policy = replace(
        given,
        folder=(arguments.folder or given.folder).expanduser().absolute(),
        keep_days=given.keep_days if arguments.keep_days is None else arguments.keep_days,
        keep_rows_days=given.keep_rows_days if arguments.keep_rows_days is None else arguments.keep_rows_days,
    ).checked()
    if policy.keep_days <= 0:
        raise Invalid(
            "nothing is to be archived", code="archive.off", field="archive.keep_days", value=policy.keep_days, allowed="a number of days above 0",
            hint="set archive.keep_days in panda.toml, or give --keep-days",
        )  # fmt: skip
    return policy


async def _outlook(data: Path, policy: Policy) -> Outlook:
    from pandawms.engine.watch import archiving

    async with connection(data) as own:
        return await archiving.outlook(own, policy)


def _rows(found: Outlook) -> list[tuple[str, ...]]:
    pairs = [(each, f"go on ({each.state})") for each in found.begun] + [(each, "drop narrow rows") for each in found.old_rows]
    what = [(each.span, each.n_jobs, each.last_ended_at, then) for each, then in pairs]
    what += [(each.span, each.n_jobs, each.last_ended_at, "write details to files") for each in found.ready]
    return [(str(span), str(n_jobs), ended_at.isoformat() if ended_at else "", then) for span, n_jobs, ended_at, then in what]


async def _run(data: Path, policy: Policy, session: Session) -> list[tuple[Range, str]]:
    from pandawms.engine.watch import archiving

    archiving.require_pyarrow()
    async with connection(data) as own:
        with _progress(session, (await archiving.outlook(own, policy)).n_files) as progress:
            return await archiving.run(own, policy, progress)


@contextmanager
def _progress(session: Session, n_files: int) -> Iterator[Progress]:
    """A bar on a terminal, else a line a range on standard error."""
    from pandawms.engine.watch.archiving import Progress

    def changed(span: Range, table: str) -> None:
        session.terminal.note(f"jobs {span}: rows of {table} came while its file was written; the next run writes it again")

    if not session.terminal.is_tty:
        yield Progress(ended=lambda span, state: session.terminal.note(f"jobs {span}: {state}"), changed=changed)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    with Bar(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=Console(file=session.terminal.stderr)) as bar:
        shown = bar.add_task("files", total=n_files)
        n_rows = 0

        async def rows(n: int) -> None:
            nonlocal n_rows
            n_rows += n
            bar.update(shown, description=f"files, {n_rows} rows")

        yield Progress(rows, lambda file: bar.advance(shown), changed=changed)
