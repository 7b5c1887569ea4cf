"""Say what went wrong with the jobs of a task, grouped by kind: how many, where, when, and which jobs to look at."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pandawms.cli.escaping import one_line
from pandawms.cli.exit_codes import ExitCode
from pandawms.cli.terminal import Terminal, age_text
from pandawms.wire.measure import ErrorGroup, TaskErrors

if TYPE_CHECKING:
    from pandawms.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of errors."""
    parser.add_argument("references", nargs="+", metavar="TASK", help="task names or ids, - for standard input")


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Tells the errors of each task."""
    with session.client() as client:
        for reference in session.references(arguments.references):
            found = client.tasks.errors(int(reference) if reference.isdigit() else reference)
            if session.terminal.as_json:
                session.terminal.json(found)
            else:
                _show(reference, found, session.terminal)
    return ExitCode.OK


def _show(reference: str, found: TaskErrors, terminal: Terminal) -> None:
    kinds = f", {len(found.groups)} kind{'s' * (len(found.groups) != 1)}" if found.groups else ""
    terminal.line(one_line(f"task {reference}: {found.n} failed job{'s' * (found.n != 1)}{kinds}"))
    for group in found.groups:
        _show_group(group, terminal)
    if found.n_others:
        terminal.line(f"- {found.n_others} more, of kinds that are rarer")


def _show_group(group: ErrorGroup, terminal: Terminal) -> None:
    queues = ", ".join(f"{queue} {n}" for queue, n in group.queues.items())
    terminal.line(one_line(f"- {group.n} x {group.name} ({group.domain} {group.code}): {group.pattern}"))
    terminal.line(f"  {one_line(f'first {age_text(group.first_at)}, last {age_text(group.last_at)}; queues: {queues}')}")
    terminal.line(f"  {one_line(f'last message: {group.message}')}")
    terminal.line(f"  > {one_line(f'{group.advice} `panda logs {group.job_ids[0]}`')}")
