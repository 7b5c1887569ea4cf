"""Change tasks that have not ended: priority and share also for jobs that wait, all else for jobs that are made from now on.

panda set my-task --priority 2000
panda set my-task --memory-mb 4000 --attempts 2       two attempts more for each input
panda set --name 'scan-*' --queues LONG
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pandawms.cli.commanding import configure_command, run_command, words_of

if TYPE_CHECKING:
    from pandawms.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of set."""
    configure_command(parser)
    parser.add_argument("--priority", type=int, metavar="N", help="0 to 10000; higher runs earlier, within a share")
    parser.add_argument("--share", metavar="NAME", help="another share of the community")
    parser.add_argument("--queues", metavar="NAMES", help="only these queues, with commas between")
    parser.add_argument("--exclude-queues", metavar="NAMES", help="not these queues, with commas between")
    parser.add_argument("--memory-mb", type=int, metavar="N", help="memory of a job")
    parser.add_argument("--wall-seconds", type=int, metavar="N", help="longest run of a job")
    parser.add_argument("--attempts", type=int, metavar="N", help="so many attempts more for each input that is not processed")


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Asks for it, for each task; the first refusal ends the command."""
    from pandawms.wire.command import SetCommand

    return run_command(session, arguments, "set", SetCommand(
        reason=arguments.reason, priority=arguments.priority, share=arguments.share, queues=words_of(arguments.queues),
        exclude_queues=words_of(arguments.exclude_queues), memory_mb=arguments.memory_mb, wall_seconds=arguments.wall_seconds, attempts=arguments.attempts,
    ))  # fmt: skip
