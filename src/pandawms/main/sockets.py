"""Listening sockets: opened by whoever stays, handed down to servers that come and go."""

import resource
import socket
from contextlib import suppress

from pandawms.domain.errors import Conflict, Invalid

BACKLOG = 4096
"""Connections that may wait in the kernel while no server accepts (it takes no more than net.core.somaxconn)."""


def open_socket(host: str, port: int) -> socket.socket:
    """Returns a socket that listens at an address. Raises Conflict when it is taken, Invalid when it is none of this machine."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except PermissionError as error:
        raise Invalid(f"port {port} needs more rights", code="server.port", field="server.port", value=port, hint="take one from 1024 up") from error
    except OSError as error:
        raise Conflict(
            f"{host} port {port} cannot be listened to: {error.strerror}", code="server.port", field="server.port", value=port, allowed="a free port",
            hint="choose another port, or end what listens there",
        ) from error  # fmt: skip


def given_socket(fd: int) -> socket.socket:
    """Returns the listening socket that a supervisor has handed down as this file descriptor. Raises Invalid when it is none."""
    try:
        found = socket.socket(fileno=fd)
        is_listening = bool(found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError:
        is_listening = False
    if not is_listening:
        raise Invalid(
            f"file descriptor {fd} is no listening socket", code="server.fd", field="--fd", value=fd, allowed="an open socket that listens",
            hint="systemd hands the first one down as 3; without --fd the server opens its own",
        )  # fmt: skip
    return found


def allow_many_connections() -> None:
    """Raises the soft limit of open files to the hard one: a long poll is a file."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
