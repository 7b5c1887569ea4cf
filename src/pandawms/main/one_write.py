"""uvicorn's HTTP protocol, whose answers leave in one write.

uvicorn writes headers and body apart, and uvloop sends each write at once: two system calls, two packets and two wake-ups of the caller for a small answer
(17 % of a server's CPU under load).
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_BYTES = 65_536
"""A part as large as this does not wait for another."""


class OneWrite(HttpToolsProtocol):
    """The same protocol over a transport that joins a small write with the one that follows; `wire` is the transport itself."""

    wire: asyncio.Transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn names asyncio's Transport, too
        """Takes a new connection."""
        self.wire = transport
        super().connection_made(Joined(transport, self.loop))  # type: ignore[arg-type]  # all of a Transport that uvicorn uses


class Joined:
    """A transport that holds the first small write until the second, the end of this turn of the loop, or the close: whatever comes first."""

    __slots__ = ("_held", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop, self._held = transport, loop, b""

    def write(self, data: bytes) -> None:
        """Sends what is held and this together, or holds this for a moment."""
        if self._held:
            self._transport.write(self._held + data)
            self._held = b""
        elif len(data) < MOST_BYTES:
            self._held = data
            self._loop.call_soon(self._flush)
        else:
            self._transport.write(data)

    def close(self) -> None:
        """Sends what is held and closes."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._held:
            held, self._held = self._held, b""
            if not self._transport.is_closing():
                self._transport.write(held)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
