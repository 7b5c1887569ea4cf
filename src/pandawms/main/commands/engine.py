"""Run the engine alone, in the foreground, with the settings of a data folder; any number may run."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pandawms.cli.exit_codes import ExitCode
from pandawms.main.commands.arguments import data_of

if TYPE_CHECKING:
    from pandawms.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Engine has no arguments of its own."""


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Drives the stages until SIGTERM."""
    from pandawms.main import engine

    engine.run(data_of(arguments))
    return ExitCode.OK
