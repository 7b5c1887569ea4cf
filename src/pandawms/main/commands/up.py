"""Start the whole system on this machine: database, server, engine and a provisioner with one queue of local pilots.

Everything lives in one data folder (--data) and ends with `panda down` or Ctrl-C.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pandawms.cli.exit_codes import ExitCode
from pandawms.main.commands.arguments import data_of, port_number, positive

if TYPE_CHECKING:
    from pandawms.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of up."""
    parser.add_argument("--port", type=port_number, help="port of the API (else that of last time, else a free one)")
    parser.add_argument("--slots", type=positive, help="how many jobs run at once (else as many as cores)")
    parser.add_argument("--detach", action="store_true", help="return when the system answers, and leave it running")


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Starts the system and prints its address; without --detach stays until Ctrl-C."""
    from pandawms.main import down, up

    data = data_of(arguments)

    def ready(url: str) -> None:
        if session.terminal.as_json:
            session.terminal.json({"url": url, "data": str(data)})
            return
        session.terminal.line(f"PanDA is up at {url}")
        session.terminal.note(f"data in {data}; {'end it with `panda down`' if arguments.detach else 'Ctrl-C ends it'}")

    if arguments.detach:
        ready(down.detach(data, port=arguments.port, slots=arguments.slots))
    else:
        up.run(data, port=arguments.port, slots=arguments.slots, ready=ready)
    return ExitCode.OK
