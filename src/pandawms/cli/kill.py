"""End tasks and all their jobs, or (as job:12) single jobs.

panda kill my-task --reason "wrong seed"
panda kill job:12
panda kill --name 'z-*' --status running --older-than 2d
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pandawms.cli.commanding import command_tasks, configure_command, run_command, selects
from pandawms.cli.references import parse_reference

if TYPE_CHECKING:
    from pandawms.cli.session import Session
    from pandawms.client import Client
    from pandawms.wire.task import CommandAnswer


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of kill."""
    configure_command(parser)


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Asks for it, for each task or job; the first refusal ends the command."""
    from pandawms.wire.command import TaskCommand

    if arguments.references and not selects(arguments):
        return command_tasks(session, arguments, lambda client, name: _kill(client, name, arguments.reason))
    return run_command(session, arguments, "kill", TaskCommand(reason=arguments.reason))


def _kill(client: Client, name: str, reason: str) -> CommandAnswer:
    if name.startswith("job:"):
        return client.jobs.kill(int(parse_reference(name).name), reason)
    return client.tasks.kill(name, reason)
