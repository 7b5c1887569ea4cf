"""End tasks with what is there: what is processed is kept, and the verdict follows from it.

panda finish my-task               ready jobs are cancelled, pilots are told to stop
panda finish my-task --soft        jobs that run may end
panda finish --name 'scan-*' --status running --soft
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pandawms.cli.commanding import configure_command, run_command

if TYPE_CHECKING:
    from pandawms.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of finish."""
    configure_command(parser)
    parser.add_argument("--soft", action="store_true", help="let the jobs that run end")


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Asks for it, for each task; the first refusal ends the command."""
    from pandawms.wire.command import FinishCommand

    return run_command(session, arguments, "finish", FinishCommand(reason=arguments.reason, soft=arguments.soft))
