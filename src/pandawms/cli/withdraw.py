"""Take back the pending command of a task, as long as nothing of it is done.

panda withdraw my-task
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pandawms.cli.exit_codes import ExitCode
from pandawms.cli.terminal import Column

if TYPE_CHECKING:
    from pandawms.cli.session import Session
    from pandawms.wire.command import CommandState


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of withdraw."""
    parser.add_argument("references", nargs="+", metavar="TASK", help="task names or ids, - for standard input")


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Takes it back, for each task; the first refusal ends the command."""
    done: list[CommandState] = []
    try:
        with session.client() as client:
            for reference in session.references(arguments.references):
                done.append(client.tasks.withdraw(reference.removeprefix("task:")))
    finally:
        if done:
            session.terminal.table(
                done,
                [
                    Column("task_id", lambda each: each.task_id, is_number=True),
                    Column("command_id", lambda each: each.command_id, is_number=True),
                    Column("verb", lambda each: each.verb),
                    Column("answer", lambda each: each.answer),
                ],
            )
    return ExitCode.OK
