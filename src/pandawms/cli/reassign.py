"""Send tasks to other queues: waiting jobs are withdrawn, running ones ended, and their inputs brokered again.

panda reassign my-task --queues LONG,LARGE
panda reassign my-task --site CERN --soft     jobs that run may end where they are
panda reassign my-task                        anywhere again
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pandawms.cli.commanding import configure_command, run_command, words_of

if TYPE_CHECKING:
    from pandawms.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of reassign."""
    configure_command(parser)
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--queues", metavar="NAMES", help="only to these queues, with commas between")
    place.add_argument("--site", metavar="NAME", help="only to the queues of this site")
    jobs = parser.add_mutually_exclusive_group()
    jobs.add_argument("--soft", action="store_true", help="let the jobs that run end")
    jobs.add_argument("--nokill", action="store_true", help="leave all jobs where they are; only new ones go elsewhere")


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Asks for it, for each task; the first refusal ends the command."""
    from pandawms.wire.command import ReassignCommand

    return run_command(
        session,
        arguments,
        "reassign",
        ReassignCommand(reason=arguments.reason, queues=words_of(arguments.queues), site=arguments.site, soft=arguments.soft, nokill=arguments.nokill),
    )
