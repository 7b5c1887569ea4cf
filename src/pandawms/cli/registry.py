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
    Command("import", "make a task file from a dictionary of PanDA task parameters", "pandawms.cli.import_params"),
    Command("ls", "list tasks, jobs, files, datasets, queues, workers, sites", "pandawms.cli.ls"),
    Command("show", "show one task or job", "pandawms.cli.show"),
    Command("watch", "follow tasks until they end", "pandawms.cli.watch"),
    Command("why", "say why a task or job waits or failed", "pandawms.cli.why"),
    Command("errors", "say what went wrong with the jobs of a task, by kind", "pandawms.cli.errors"),
    Command("logs", "print what a job wrote", "pandawms.cli.logs"),
    Command("get", "download the outputs of a task", "pandawms.cli.get"),
    Command("kill", "end tasks", "pandawms.cli.kill", "Commands for tasks"),
    Command("finish", "end tasks with what is there", "pandawms.cli.finish", "Commands for tasks"),
    Command("retry", "process again what was not processed", "pandawms.cli.retry", "Commands for tasks"),
    Command("pause", "make and hand out no jobs for a while", "pandawms.cli.pause", "Commands for tasks"),
    Command("resume", "go on after a pause", "pandawms.cli.resume", "Commands for tasks"),
    Command("set", "change priority, share, queues, memory, wall time, attempts", "pandawms.cli.set_values", "Commands for tasks"),
    Command("reassign", "send tasks to other queues", "pandawms.cli.reassign", "Commands for tasks"),
    Command("extend", "go on with more inputs or other parameters", "pandawms.cli.extend", "Commands for tasks"),
    Command("fork", "copy a task with changes, sharing what is finished", "pandawms.cli.fork", "Commands for tasks"),
    Command("recover", "make lost output files again", "pandawms.cli.recover", "Commands for tasks"),
    Command("avalanche", "end the scouting of tasks", "pandawms.cli.avalanche", "Commands for tasks"),
    Command("obsolete", "declare outputs void", "pandawms.cli.obsolete", "Commands for tasks"),
    Command("release", "lift the hold of a workflow", "pandawms.cli.release", "Commands for tasks"),
    Command("approve", "let waiting tasks start", "pandawms.cli.approve", "Commands for tasks"),
    Command("withdraw", "take back commands that have not begun", "pandawms.cli.withdraw", "Commands for tasks"),
    Command("rules", "list, change and try the rules of retries", "pandawms.cli.rules", "This system"),
    Command("token", "make, list and revoke tokens", "pandawms.cli.token", "This command"),
    Command("doctor", "check what this command needs to work", "pandawms.cli.doctor", "This command"),
    Command("schema", "print the JSON Schema of task files, for editors", "pandawms.cli.schema", "This command"),
    Command("completion", "print a script that completes commands in your shell", "pandawms.cli.completion", "This command"),
)
