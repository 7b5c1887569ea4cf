"""Run the provisioner alone: it keeps the pilots of the local queue, and speaks to the server over HTTP."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pandawms.cli.exit_codes import ExitCode
from pandawms.main.commands.arguments import data_of

if TYPE_CHECKING:
    from pandawms.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of provision."""
    parser.add_argument("--stop-workers-at-exit", action="store_true", help="end the pilots with it (else the next provisioner adopts them)")


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Keeps pilots until SIGTERM."""
    from pandawms.main import provision

    data = data_of(arguments)
    session.data = data
    provision.run(data, server=session.context.url, stop_workers_at_exit=arguments.stop_workers_at_exit)
    return ExitCode.OK
