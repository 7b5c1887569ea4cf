"""What commands there are: names, summaries and the modules that hold them, without importing any."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from pandawms.cli.session import Session


class CommandModule(Protocol):
    """What a command's module offers; its docstring is the command's help."""

    __doc__: str | None

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Adds the command's own arguments."""

    def run(self, arguments: argparse.Namespace, session: Session) -> int:
        """Does it; gives back the exit code. Errors of the domain are raised."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command by name; `module` is imported when the command is called."""

    name: str
    summary: str
    module: str
    group: str = "Tasks"

    def load(self) -> CommandModule:
        """The command's module."""
        return cast(CommandModule, import_module(self.module))


USER_COMMANDS: Sequence[Command] = (
    Command("run", "run a program over files, in one line", "pandawms.cli.run"),
    Command("submit", "submit tasks from YAML or TOML files", "pandawms.cli.submit"),
    Command("ls", "list tasks, jobs, files, datasets, queues, workers, sites", "pandawms.cli.ls"),
    Command("show", "show one task or job", "pandawms.cli.show"),
    Command("watch", "follow tasks until they end", "pandawms.cli.watch"),
    Command("why", "say why a task or job waits or failed", "pandawms.cli.why"),
    Command("logs", "print what a job wrote", "pandawms.cli.logs"),
    Command("get", "download the outputs of a task", "pandawms.cli.get"),
    Command("retry", "try the failed inputs of tasks again", "pandawms.cli.retry"),
    Command("kill", "end tasks", "pandawms.cli.kill"),
    Command("token", "make, list and revoke tokens", "pandawms.cli.token", "This command"),
    Command("doctor", "check what this command needs to work", "pandawms.cli.doctor", "This command"),
    Command("completion", "print a script that completes commands in your shell", "pandawms.cli.completion", "This command"),
)
