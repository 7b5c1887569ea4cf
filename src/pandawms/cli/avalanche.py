"""End the scouting of tasks: all jobs are made. For operators and the production role.

panda avalanche my-task --reason "same program as yesterday"
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pandawms.cli.commanding import configure_command, run_command

if TYPE_CHECKING:
    from pandawms.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of avalanche."""
    configure_command(parser)


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Asks for it, for each task; the first refusal ends the command."""
    from pandawms.wire.command import TaskCommand

    return run_command(session, arguments, "avalanche", TaskCommand(reason=arguments.reason))
