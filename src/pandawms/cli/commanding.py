"""What kill and retry share: names of tasks, a reason, and the list of what was taken."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

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
"""How long the command waits until the engine has applied it: it prints the status by then, and a `panda watch` after it sees no older one."""


def command_tasks(session: Session, arguments: argparse.Namespace, command: Callable[[Client, str], CommandAnswer]) -> ExitCode:
    """Commands each task in turn and lists the answers, each with the status after it was applied, those before a refusal too."""
    answers: list[CommandAnswer] = []
    references = session.references(arguments.references)
    try:
        with session.client() as client:
            for reference in references:
                answers.append(command(client, reference.removeprefix("task:")))
            _await_applied(client, references, answers)
    finally:
        if answers:
            _show(answers, session)
    return ExitCode.OK


def _await_applied(client: Client, references: Sequence[str], answers: list[CommandAnswer]) -> None:
    """Waits until each has left the status that it had when its command was taken, at most APPLIED_SECONDS for all of them."""
    deadline = time.monotonic() + APPLIED_SECONDS
    for number, reference in enumerate(references):
        before = answers[number].status
        status = _status(client, reference)
        while status == before and time.monotonic() < deadline:
            time.sleep(0.1)
            status = _status(client, reference)
        answers[number] = msgspec.structs.replace(answers[number], status=status)


def _status(client: Client, reference: str) -> str:
    kind, _, name = reference.rpartition(":")
    return client.jobs.get(int(name)).status if kind == "job" else client.tasks.get(name).status


def _show(answers: Sequence[CommandAnswer], session: Session) -> None:
    session.terminal.table(
        answers,
        [
            Column("subject", lambda answer: answer.subject),
            Column("status", lambda answer: answer.status),
            Column("command_id", lambda answer: answer.command_id, is_number=True),
        ],
    )
