"""Try the failed inputs of tasks that have ended once more."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pandawms.cli.commanding import command_tasks, configure_command

if TYPE_CHECKING:
    from pandawms.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of retry."""
    configure_command(parser)


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Asks for it, for each task; the first refusal ends the command."""
    return command_tasks(session, arguments, lambda client, task: client.tasks.retry(task, arguments.reason))
