"""Have the system that runs here take the installed build: server, engine and provisioner are replaced one by one, while pilots and clients go on.

`panda up` itself stays as it is, and with it the API's address and the database.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pandawms.cli.exit_codes import ExitCode
from pandawms.main.commands.arguments import data_of

if TYPE_CHECKING:
    from pandawms.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Reload has no arguments of its own."""


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Asks `panda up` and waits until it is done."""
    from pandawms.main import down

    data = data_of(arguments)
    down.reload(data)
    session.terminal.note(f"PanDA runs the installed build ({data})")
    return ExitCode.OK
