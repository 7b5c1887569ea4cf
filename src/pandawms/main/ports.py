"""Ports of a data folder: the same ones every time, as long as they are free."""

import socket
from contextlib import suppress
from pathlib import Path

from pandawms.domain.errors import Conflict
from pandawms.main.files import write_public
from pandawms.main.processes import Book


def kept(path: Path, wanted: int = 0) -> int:
    """Returns the port wanted, else the one kept in the file, else a free one; and keeps it."""
    with suppress(FileNotFoundError, ValueError):
        wanted = wanted or int(path.read_text())
    port = wanted or free()
    write_public(path, str(port))
    return port


def free() -> int:
    """Returns a port of 127.0.0.1 that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(host: str, port: int) -> bool:
    """Whether nobody listens on the port."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def choose(data: Path, host: str, asked: int) -> int:
    """Returns where the API will listen: the port asked for (Conflict when it is taken), else the one of last time, else a free one.

    A server that an earlier `panda up` left behind still has its port and will be ended: pilots that run know no other.
    """
    path = data / "run" / "api.port"
    is_ours = "server" in Book(data / "run" / "processes.json").read()
    if asked:
        if not is_ours and not is_free(host, asked):
            raise Conflict(f"port {asked} is in use", code="up.port", field="port", value=asked, allowed="a free port", hint="choose another --port")
        return kept(path, asked)
    with suppress(FileNotFoundError, ValueError):
        last = int(path.read_text())
        if is_ours or is_free(host, last):
            return last
    return kept(path, free())
