"""What kill and retry share: names of tasks, a reason, and the list of what was taken."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from pandawms.cli.exit_codes import ExitCode
from pandawms.cli.terminal import Column

if TYPE_CHECKING:
    from pandawms.cli.session import Session
    from pandawms.client import Client
    from pandawms.wire.task import CommandAnswer


def configure_command(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    parser.add_argument("references", nargs="+", metavar="TASK", help="task names or ids, job:12 for a job where jobs can be named, - for standard input")
    parser.add_argument("--reason", default="", help="kept in the task's history")


APPLIED_SECONDS = 5.0
"""How long the command waits until the engine has applied it, so that a `panda watch` after it sees the task as it is then."""


def _await_applied(client: Client, task: str, before: str) -> None:
    """Waits until the task has left the status that it had when the command was taken, at most APPLIED_SECONDS."""
    deadline = time.monotonic() + APPLIED_SECONDS
    while client.tasks.get(task).status == before and time.monotonic() < deadline:
        time.sleep(0.1)


def command_tasks(session: Session, arguments: argparse.Namespace, command: Callable[[Client, str], CommandAnswer]) -> ExitCode:
    """Commands each task in turn and lists the answers, those before a refusal too."""
    answers: list[CommandAnswer] = []
    references = session.references(arguments.references)
    try:
        with session.client() as client:
            for reference in references:
                answers.append(command(client, reference.removeprefix("task:")))
            for reference, answer in zip(references, answers, strict=True):
                if not reference.startswith("job:"):
                    _await_applied(client, reference.removeprefix("task:"), answer.status)
    finally:
        if answers:
            session.terminal.table(
                answers,
                [
                    Column("subject", lambda answer: answer.subject),
                    Column("status", lambda answer: answer.status),
                    Column("command_id", lambda answer: answer.command_id, is_number=True),
                ],
            )
    return ExitCode.OK
