"""Run the engine alone, in the foreground, with the settings of a data folder; any number may run."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pandawms.cli.exit_codes import ExitCode
from pandawms.main.commands.arguments import add_ready_fd, data_of, ready_of

if TYPE_CHECKING:
    from pandawms.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of engine."""
    add_ready_fd(parser)


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Drives the stages until SIGTERM."""
    from pandawms.main import engine

    engine.run(data_of(arguments), ready_of(arguments))
    return ExitCode.OK
