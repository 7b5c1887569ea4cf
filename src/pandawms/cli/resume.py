"""Go on with tasks that were paused (or throttled, or that wait for tape).

panda resume my-task
panda resume --all --status paused
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pandawms.cli.commanding import configure_command, run_command

if TYPE_CHECKING:
    from pandawms.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of resume."""
    configure_command(parser)


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Asks for it, for each task; the first refusal ends the command."""
    from pandawms.wire.command import TaskCommand

    return run_command(session, arguments, "resume", TaskCommand(reason=arguments.reason))
