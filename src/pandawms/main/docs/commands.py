"""The page docs/reference/commands.md: every command of `panda` with its options, and the exit codes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from pandawms.cli.exit_codes import MEANINGS
from pandawms.cli.program import command_parser
from pandawms.cli.registry import Command
from pandawms.main.docs.markdown import generated, page, table
from pandawms.main.panda import COMMANDS

HEAD = f"""{generated("src/pandawms/cli and src/pandawms/main/commands")}

# Commands

On a terminal `panda` prints tables; in a pipe it prints tab-separated lines with a header, and `--json` prints JSON everywhere. `-` reads names or ids from
standard input. Errors are two lines on standard error: what is wrong, and what to do.
"""


def commands_page() -> str:
    """The page as text."""
    codes = table(("Code", "Meaning"), [(str(int(code)), meaning) for code, meaning in MEANINGS.items()])
    return page([HEAD, *(_command(command) for command in COMMANDS), f"## Exit codes\n\n{codes}"])


def _command(command: Command) -> str:
    module = command.load()
    parser = command_parser(command, module.__doc__ or command.summary)
    module.configure(parser)
    with _width(100):
        return f"## panda {command.name}\n\n```text\n{parser.format_help().rstrip()}\n```"


@contextmanager
def _width(columns: int) -> Iterator[None]:
    """Help is wrapped for the terminal; a page must not depend on it."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(columns)
    try:
        yield
    finally:
        os.environ.pop("COLUMNS")
        if before is not None:
            os.environ["COLUMNS"] = before
