"""Let tasks start that wait for somebody's word. For operators and the production role.

panda approve my-task
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pandawms.cli.commanding import configure_command, run_command

if TYPE_CHECKING:
    from pandawms.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of approve."""
    configure_command(parser)


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Asks for it, for each task; the first refusal ends the command."""
    from pandawms.wire.command import TaskCommand

    return run_command(session, arguments, "approve", TaskCommand(reason=arguments.reason))
