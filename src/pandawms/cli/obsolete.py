"""Declare the outputs of tasks void, and those of the tasks that read them.

Their datasets leave the catalogue's names. Refused while a task that reads them has not ended.

  panda obsolete my-task --reason "wrong calibration"
  panda obsolete my-task --sole      not the tasks that read its outputs
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pandawms.cli.commanding import configure_command, run_command

if TYPE_CHECKING:
    from pandawms.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of obsolete."""
    configure_command(parser)
    parser.add_argument("--sole", action="store_true", help="not the tasks that read its outputs")


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Asks for it, for each task; the first refusal ends the command."""
    from pandawms.wire.command import ObsoleteCommand

    return run_command(session, arguments, "obsolete", ObsoleteCommand(reason=arguments.reason, sole=arguments.sole))
