"""Go on with tasks that have ended, with more inputs or other parameters: what was processed stays, only what is new is processed.

panda extend my-task --set inputs.events.count=9000
panda extend my-task --set 'inputs.data.datasets=[user.me:a, user.me:b]' --set split.files_per_job=5
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pandawms.cli.commanding import changes_of, command_tasks, configure_changes, configure_command

if TYPE_CHECKING:
    from pandawms.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of extend."""
    configure_command(parser, may_select=False)
    configure_changes(parser)


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Asks for it, for each task; the first refusal ends the command."""
    from pandawms.wire.command import ExtendCommand

    body = ExtendCommand(reason=arguments.reason, changes=changes_of(arguments.set))
    return command_tasks(session, arguments, lambda client, task: client.tasks.command(task, "extend", body))
