"""Show what of the system runs in a data folder, and how its parts do."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pandawms.cli.exit_codes import ExitCode
from pandawms.main.commands.arguments import columns, data_of

if TYPE_CHECKING:
    from pandawms.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Status has no arguments of its own."""


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Lists the processes of `panda up` and the checks of the server; 7 when the server does not answer."""
    from pandawms.domain.errors import PandaError
    from pandawms.main.processes import Book

    data = data_of(arguments)
    rows = [(name, "running", f"process {process.pid}") for name, process in Book(data / "run" / "processes.json").read().items()]
    session.data = data
    code: int = ExitCode.OK
    try:
        with session.client() as client:
            health = client.system.health()
            rows.append(("api", health.status, session.context.url))
            rows += [(check.name, "ok" if check.ok else "not ok", check.detail) for check in health.checks]
    except PandaError as error:
        rows.append(("api", "no answer", error.hint or error.detail))
        code = ExitCode.UNAVAILABLE
    session.terminal.table(rows, columns("part", "state", "detail"))
    return code
