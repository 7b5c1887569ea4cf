"""End the system that `panda up` started in a data folder: all of it, and nothing else."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pandawms.cli.exit_codes import ExitCode
from pandawms.main.commands.arguments import data_of

if TYPE_CHECKING:
    from pandawms.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of down."""
    parser.add_argument("--remove-data", action="store_true", help="then delete the data folder, with its database")


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Ends the system; that nothing ran is no error."""
    from pandawms.main import down

    data = data_of(arguments)
    was_up = down.down(data)
    if arguments.remove_data:
        down.remove(data)
    session.terminal.note(f"PanDA is down ({data})" if was_up else f"nothing ran in {data}")
    return ExitCode.OK
