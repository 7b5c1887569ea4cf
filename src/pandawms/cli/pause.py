"""Make and hand out no jobs of tasks until a resume. Jobs that run go on; ready ones are held.

panda pause my-task --reason "storage is down"
panda pause --all --status running
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pandawms.cli.commanding import configure_command, run_command

if TYPE_CHECKING:
    from pandawms.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of pause."""
    configure_command(parser)


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Asks for it, for each task; the first refusal ends the command."""
    from pandawms.wire.command import TaskCommand

    return run_command(session, arguments, "pause", TaskCommand(reason=arguments.reason))
