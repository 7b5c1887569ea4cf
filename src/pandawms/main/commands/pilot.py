"""Run one pilot here, in the foreground: it asks a queue for jobs and runs them until none is left.

All options behind `panda pilot` go to the pilot itself; --write FILE writes the pilot as one file for other machines instead.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pandawms.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from pandawms.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of pilot."""
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the pilot as one file that any Python from 3.9 on runs")
    parser.add_argument("options", nargs=argparse.REMAINDER, help="options of the pilot, after --")


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Runs the pilot; its exit code is ours."""
    if arguments.write is not None:
        from pandawms.pilot.build import build

        session.terminal.line(str(build(arguments.write)))
        return ExitCode.OK
    from pandawms.pilot.main import main

    return main([option for option in arguments.options if option != "--"])
