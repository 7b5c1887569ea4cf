"""One keep-alive HTTP/1.1 connection that sends a request, hands over its answer, and opens itself again when it is lost."""

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_AGAIN = frozenset({429, 500, 502, 503, 504})
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_RETRY_AFTER = re.compile(rb"\r\nretry-after: *(\d+)", re.IGNORECASE)

Answered = Callable[[int, bytes], None]
"""Called with the HTTP status (0: no answer came in time) and the body."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where the server is, and how long a call is tried before it counts as failed."""

    host: str
    port: int
    patience_seconds: float = 20.0


class Exchange(asyncio.Protocol):
    """At most one request at a time; `again` is called for each time that one is sent once more."""

    def __init__(self, server: Server, again: Callable[[int], None]) -> None:
        self._server = server
        self._again = again
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._request = b""
        self._answered: Answered | None = None
        self._deadline = 0.0
        self._pause = 0.02
        self._is_closed = False
        self._is_leaving = False
        self._resending: asyncio.TimerHandle | None = None
        self._opening: asyncio.Task[None] | None = None

    def send(self, request: bytes, answered: Answered) -> None:
        """Sends a request; `answered` is called once, later."""
        self._request, self._answered = request, answered
        self._deadline = 0.0
        self._write()

    def _write(self) -> None:
        """Sends what waits: on this connection, or on the next when there is none or the server has said that it closes this one."""
        if self._transport is None:
            self.open()
        elif not self._is_leaving:
            self._transport.write(self._request)

    @property
    def is_waiting(self) -> bool:
        """Whether the connection stands and an answer is awaited."""
        return self._transport is not None and self._answered is not None

    def open(self) -> None:
        """Opens the connection; what waits to be sent goes out then."""
        if not self._is_closed and (self._opening is None or self._opening.done()):
            self._opening = asyncio.create_task(self._open())

    def close(self) -> None:
        """Closes the connection for good."""
        self._is_closed = True
        if self._transport is not None:
            self._transport.close()
        if self._opening is not None:
            self._opening.cancel()

    async def _open(self) -> None:
        with suppress(OSError):
            await asyncio.get_running_loop().create_connection(lambda: self, self._server.host, self._server.port)
            return
        if self._is_unanswered:
            self._retry(0, self._pause)
        else:
            asyncio.get_running_loop().call_later(self._pause, self.open)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Sends what waits."""
        self._transport = cast(asyncio.Transport, transport)
        if self._is_unanswered:
            self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Hands over the answer as soon as it is whole."""
        if self._buffer:
            data = self._buffer + data
        end = data.find(b"\r\n\r\n")
        found = _LENGTH.search(data, 0, end + 2) if end >= 0 else None
        whole = end + 4 + (int(found[1]) if found else 0)
        if end < 0 or len(data) < whole:
            self._buffer = data
            return
        self._buffer = b""
        status = int(data[9:12])
        if _CLOSE.search(data, 0, end + 2) and self._transport is not None:
            self._is_leaving = True
            self._transport.close()
        if status in _AGAIN:
            after = _RETRY_AFTER.search(data, 0, end + 2)
            self._retry(status, float(after[1]) if after else self._pause)
        elif self._answered is not None:
            answered, self._answered, self._pause = self._answered, None, 0.02
            answered(status, data[end + 4 : whole])

    def connection_lost(self, _error: Exception | None) -> None:
        """Opens the connection again and sends what was not answered."""
        self._transport, self._buffer = None, b""
        is_expected, self._is_leaving = self._is_leaving, False
        if self._is_closed:
            return
        if self._is_unanswered and not is_expected:
            self._retry(0, 0.0)
        else:
            self.open()

    def _retry(self, status: int, pause: float) -> None:
        """Sends the request again after a pause, as a real pilot does, until its patience is over."""
        now = time.monotonic()
        self._deadline = self._deadline or now + self._server.patience_seconds
        if now >= self._deadline and self._answered is not None:
            answered, self._answered = self._answered, None
            answered(status, b"")
            return
        self._again(status)
        self._pause = min(1.0, self._pause * 2)
        self._resending = asyncio.get_running_loop().call_later(pause, self._resend)

    @property
    def _is_unanswered(self) -> bool:
        """Whether a request waits for its answer, rather than for the moment at which it is sent again."""
        return self._answered is not None and self._resending is None

    def _resend(self) -> None:
        self._resending = None
        if self._answered is None or self._is_closed:
            return
        self._write()
