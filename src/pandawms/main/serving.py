"""How a server process says that it is ready, and leaves without breaking a call."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

GRACE_SECONDS = 1.0
"""For so long a server that ends answers kept connections, each time with `Connection: close`."""
STOP_SECONDS = 3
"""For so long it waits for the calls that are then still under way."""


class Serving(uvicorn.Server):
    """uvicorn's server on a socket that is given. It leaves signals to `main.stopping`, calls `ready` when it accepts, and ends in three steps.

    First it accepts no more: who connects now is the next server's, or waits in the socket's backlog. Then kept connections have GRACE_SECONDS for what
    their clients had under way. Then those that are idle are closed, and the others have STOP_SECONDS to be answered.
    """

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures none."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to accept, and says so."""
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends in three steps."""
        for server in self.servers:
            server.close()
        deadline = time.monotonic() + GRACE_SECONDS
        while self.server_state.connections and time.monotonic() < deadline:  # noqa: ASYNC110  (uvicorn has no event for it)
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)
