"""Make output files of a task again that were lost, here and in the tasks that read them.

The jobs that wrote them run again; all that these wrote is void, also files that are still there.

  panda recover my-task --files my-task.out.000003.1.root,my-task.out.000007.1.root
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pandawms.cli.commanding import command_tasks, configure_command, words_of

if TYPE_CHECKING:
    from pandawms.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of recover."""
    configure_command(parser, may_select=False)
    parser.add_argument("--files", required=True, metavar="NAMES", help="names of the lost files, with commas between")
    parser.add_argument("--sole", action="store_true", help="leave the tasks that read them and have ended as they are")


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Asks for it, for each task; the first refusal ends the command."""
    from pandawms.wire.command import RecoverCommand

    body = RecoverCommand(reason=arguments.reason, files=words_of(arguments.files), sole=arguments.sole)
    return command_tasks(session, arguments, lambda client, task: client.tasks.command(task, "recover", body))
