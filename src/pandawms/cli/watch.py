"""Follow tasks until they end: progress bars on a terminal, a line for each change in a pipe.

Without names it follows all tasks of yours that have not ended. The exit code is 1 when one of them did not get everything done.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pandawms.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from pandawms.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of watch."""
    parser.add_argument("references", nargs="*", metavar="TASK", help="task names or ids, - for standard input")
    parser.add_argument("--interval", type=float, default=1.0, metavar="SECONDS", help="ask so often (default 1)")


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Follows; the exit code tells how the tasks ended."""
    from pandawms.cli.follow import follow

    names = session.references(arguments.references) if arguments.references else _open_tasks(session)
    if not names:
        session.terminal.note("no task is under way")
        return ExitCode.OK
    return follow(names, session, interval_seconds=max(0.1, arguments.interval))


def _open_tasks(session: Session) -> list[str]:
    from pandawms.client import is_over

    with session.client() as client:
        owner = client.system.whoami().user
        return [str(task.task_id) for task in client.tasks.list(owner=owner) if not is_over(task)]
