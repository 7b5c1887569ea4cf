"""Asking the loopback interface: is a port free, does a PostgreSQL answer on it."""

from __future__ import annotations

import socket
import struct

from pandawms.store.embedded.options import HOST

SSL_REQUEST = struct.pack("!ii", 8, 80877103)  # "SSLRequest" of PostgreSQL's protocol: answered by one byte, before any login


def answers(port: int) -> bool:
    """Whether a PostgreSQL on `port` takes a connection and answers within a second."""
    try:
        with socket.socket() as connection:
            connection.settimeout(1.0)
            connection.connect((HOST, port))
            connection.sendall(SSL_REQUEST)
            return connection.recv(1) in (b"N", b"S")
    except OSError:
        return False


def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
