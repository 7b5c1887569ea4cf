"""Run the REST server alone, in the foreground, with the settings of a data folder."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pandawms.cli.exit_codes import ExitCode
from pandawms.main.commands.arguments import add_ready_fd, data_of, descriptor, port_number, ready_of

if TYPE_CHECKING:
    from pandawms.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of server."""
    parser.add_argument("--host", help="address to listen on (else server.host; beyond loopback TLS is needed)")
    parser.add_argument("--port", type=port_number, help="port to listen on (else server.port, else 8080)")
    parser.add_argument("--fd", type=descriptor, metavar="N", help="listen on the socket that is open as this file descriptor (systemd's first is 3)")
    add_ready_fd(parser)


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Serves until SIGTERM."""
    from pandawms.main import server

    server.run(data_of(arguments), host=arguments.host, port=arguments.port, fd=arguments.fd, ready=ready_of(arguments))
    return ExitCode.OK
