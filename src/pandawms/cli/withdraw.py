"""Take back the pending command of a task, as long as nothing of it is done.

panda withdraw my-task
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pandawms.cli.exit_codes import ExitCode
from pandawms.cli.terminal import Column
from pandawms.domain.errors import NotFound

if TYPE_CHECKING:
    from pandawms.cli.session import Session
    from pandawms.client.client import Client
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
                done.append(_withdrawn(client, reference.removeprefix("task:")))
    finally:
        if done:
            session.terminal.table(
                done,
                [
                    Column("task_id", lambda each: each.task_id, is_number=True),
                    Column("command_id", lambda each: each.command_id, is_number=True),
                    Column("verb", lambda each: each.verb),
                    Column("asked_by", lambda each: each.asked_by),
                    Column("answer", lambda each: each.answer),
                ],
            )
    return ExitCode.OK


def _withdrawn(client: Client, task: str) -> CommandState:
    """Looks which command is pending and takes back that one, never one that somebody gives meanwhile."""
    pending = client.tasks.pending(task)
    if pending is None:
        hint = f"`panda why {task}` says what it does"
        raise NotFound(f"no command of task {task} is pending", code="command.none_pending", field="task", value=task, hint=hint)
    return client.tasks.withdraw(task, pending.command_id)
