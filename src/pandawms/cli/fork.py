"""Make a copy of a task under a new name, with changes, that shares what is finished.

Inputs that are finished in the original count in the copy, and their output files are in its outputs, too; no byte is copied.
All other inputs are processed by the copy, with its changes.

  panda fork my-task my-task-2 --set program.command='python b.py %IN > %OUT'
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pandawms.cli.commanding import changes_of, configure_changes
from pandawms.cli.exit_codes import ExitCode
from pandawms.cli.submit import show_answers

if TYPE_CHECKING:
    from pandawms.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of fork."""
    parser.add_argument("reference", metavar="TASK", help="the original, by name or id")
    parser.add_argument("name", metavar="NAME", help="the name of the copy")
    parser.add_argument("--reason", default="", help="kept in the task's history")
    configure_changes(parser)


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Makes the copy, shows it as a submit does, and says how much is shared."""
    from pandawms.wire.command import ForkRequest

    body = ForkRequest(name=arguments.name, reason=arguments.reason, changes=changes_of(arguments.set))
    with session.client() as client:
        made = client.tasks.fork(arguments.reference.removeprefix("task:"), body)
        show_answers([made], session)
        if not session.terminal.as_json:
            inputs = client.tasks.get(made.task_id).inputs
            session.terminal.note(f"{inputs.finished} of its {inputs.total} inputs are finished, as in {arguments.reference}; it processes the others")
    return ExitCode.OK
