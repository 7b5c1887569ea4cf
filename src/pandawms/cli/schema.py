"""Print the JSON Schema of task files, for editors and other programs:

  panda schema > task.schema.json

With the first line `# yaml-language-server: $schema=task.schema.json` an editor with the YAML language server completes and checks a task file.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pandawms.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from pandawms.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds no arguments: there is one schema."""


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Prints the schema; asks no server."""
    from pandawms.wire.schema import document_schema_text

    session.terminal.line(document_schema_text().rstrip())
    return ExitCode.OK
