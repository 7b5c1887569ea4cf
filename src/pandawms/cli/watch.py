"""Follow tasks until they end: progress bars on a terminal, a line for each change in a pipe.

Without names it follows all tasks of yours that have not ended. The exit code is 1 when one of them did not get everything done.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pandawms.cli.exit_codes import ExitCode
from pandawms.domain.errors import Invalid

if TYPE_CHECKING:
    from pandawms.cli.session import Session

LONGEST_SECONDS = 3600
"""Longest time between two looks."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of watch."""
    parser.add_argument("references", nargs="*", metavar="TASK", help="task names or ids, - for standard input")
    parser.add_argument("--interval", type=float, default=1.0, metavar="SECONDS", help="ask so often (default 1)")


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Follows; the exit code tells how the tasks ended."""
    from pandawms.cli.follow import follow

    if not 0 < arguments.interval <= LONGEST_SECONDS:
        allowed = f"more than 0 and at most {LONGEST_SECONDS} seconds"
        hint = "leave it out to ask every second"
        raise Invalid(f"--interval must be {allowed}", code="usage", field="--interval", value=arguments.interval, allowed=allowed, hint=hint)
    names = session.references(arguments.references) if arguments.references else _open_tasks(session)
    if not names:
        session.terminal.note("no task is under way")
        return ExitCode.OK
    return follow(names, session, interval_seconds=arguments.interval)


def _open_tasks(session: Session) -> list[str]:
    from pandawms.client import is_over

    with session.client() as client:
        owner = client.system.whoami().user
        return [str(task.task_id) for task in client.tasks.list(owner=owner) if not is_over(task)]
