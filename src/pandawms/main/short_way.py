"""The short way of a pilot's call: from the socket to the door and back, past the parser and ASGI.

A pilot sends the same head again and again: its call, its token, a length. A head that was answered well is kept by the door, under its bytes; a connection
that is at rest and gets the same bytes again needs no parser, no scope, no cycle of messages, and its answer is one write. Everything else goes uvicorn's
way: heads not seen before, chunked or large bodies, `Expect`, requests that are sent before the last was answered. What the door decides, it decides for
both ways; the token is looked at for each call.
"""

import asyncio
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.server import ServerState

from pandawms.api.pilot_door import HEAD, Answer, Asked, PilotDoor
from pandawms.main.one_write import OneWrite

_END = b"\r\n\r\n"
_LEADING = (b"\r", b"\n")
"""The parser skips empty lines before a request, so the first end of a head that we see would not be its end."""
_NOT_PLAIN = {b"expect", b"transfer-encoding", b"upgrade"}
_CLOSE = b"connection: close\r\n"
_FIRST_LINES = {int(status): b"HTTP/1.1 %d %b\r\n" % (status, status.phrase.encode()) for status in HTTPStatus}


class ShortWay(OneWrite):
    """uvicorn's protocol with a short way in front.

    `_asked` is the head of the call on the short way, None when there is none. Its body has come when `_task` answers it; `_held` is what has come of the
    body, and then what was sent after it. `_between` says that the parser is between two requests, so that it need not see the next.
    """

    def __init__(self, config: uvicorn.Config, server_state: ServerState, app_state: dict[str, Any], _loop: asyncio.AbstractEventLoop | None = None) -> None:
        super().__init__(config, server_state, app_state, _loop)
        door = getattr(config.loaded_app, "asgi_handler", None)
        self._known: dict[bytes, Asked] = door.known if isinstance(door, PilotDoor) else {}
        self._door = cast(PilotDoor, door)  # asked for heads that it knows only
        self._between, self._is_last = True, False
        self._head = self._held = b""
        self._asked: Asked | None = None
        self._task: asyncio.Task[None] | None = None
        self._left: asyncio.Future[None] | None = None
        self._rested_at = 0.0
        self._dated: tuple[object, bytes] = (None, b"")

    def data_received(self, data: bytes) -> None:
        """Takes what has come: more of a call on the short way, a call that can go it, or anything else."""
        if self._asked is not None:
            self._held += data
            self._go_on()
        elif self._is_at_rest() and data[:1] not in _LEADING and (end := data.find(_END) + len(_END)) >= len(_END):
            self._head = data[:end]
            self._asked = self._known.get(self._head)
            if self._asked is not None:
                self._held = data[end:]
                self._go_on()
            else:
                self._go_far(data)
        else:
            self._go_far(data)

    def _is_at_rest(self) -> bool:
        return self._between and (self.cycle is None or self.cycle.response_complete)

    def _go_far(self, data: bytes) -> None:
        super().data_received(data)
        self._head = b""

    def _go_on(self) -> None:
        """Begins the call when its body is there; when more than that is there before, the parser shall tell the requests apart."""
        if self._task is not None:
            if len(self._held) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
            return
        asked = self._asked
        assert asked is not None
        if len(self._held) == asked.length:
            self._task = self.loop.create_task(self._answer(asked, self._held))
            self._held = b""
            self.tasks.add(self._task)
        elif len(self._held) > asked.length:
            data, self._asked, self._held = self._head + self._held, None, b""
            self._go_far(data)
            if self._is_last:
                super().shutdown()

    async def _answer(self, asked: Asked, body: bytes) -> None:
        try:
            answer = await self._door.answer(asked, body, self._gone)
            if self.flow.write_paused:
                await self.flow.drain()
            self._write(answer)
        except BaseException:  # also when the task is cancelled: nobody waits for an answer that does not come
            self.transport.close()
            raise
        finally:
            self._rest()

    def _write(self, answer: Answer) -> None:
        """Writes an answer whole; the last one of a connection says so, and closes it."""
        if self.wire.is_closing():
            return
        is_last = self._is_last or self._door.core.stopping.is_set()
        headers = _lines(answer.more) if answer.more else b""
        self.wire.write(
            b"%b%b%bcontent-type: %b\r\ncontent-length: %d\r\nx-request-id: %b\r\n%b\r\n%b" % (
                _FIRST_LINES[answer.status], self._usual(), headers, answer.content_type, len(answer.body), answer.number.encode(),
                _CLOSE if is_last else b"", answer.body,
            )
        )  # fmt: skip
        if is_last:
            self.transport.close()

    def _usual(self) -> bytes:
        """The headers that uvicorn gives to all answers (the date), as bytes; they change once a second."""
        headers = self.server_state.default_headers
        if self._dated[0] is not headers:
            self._dated = headers, _lines(headers)
        return self._dated[1]

    def _rest(self) -> None:
        """The call is over: what was sent after it comes next, or the connection may be closed when nothing comes for long."""
        self.server_state.total_requests += 1
        if self._task is not None:
            self.tasks.discard(self._task)
        held, self._asked, self._task, self._held, self._left = self._held, None, None, b"", None
        if self.wire.is_closing():
            return
        self._rested_at = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
        self.flow.resume_reading()
        if held:
            self.data_received(held)

    async def _gone(self) -> None:
        """Returns when the caller has gone away."""
        if not self.wire.is_closing():
            self._left = self.loop.create_future()
            await self._left

    def connection_lost(self, exc: Exception | None) -> None:
        """Tells a call that waits."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        if self._left is not None and not self._left.done():
            self._left.set_result(None)

    def shutdown(self) -> None:
        """Closes a connection at rest; a call that has begun is answered before."""
        if self._asked is None:
            super().shutdown()
        else:
            self._is_last = True

    def timeout_keep_alive_handler(self) -> None:
        """Closes a connection that rests for long. The timer is not set anew by each call of the short way, but looks again when its time is over."""
        self.timeout_keep_alive_task = None
        left = self._rested_at + self.timeout_keep_alive - self.loop.time()
        if left <= 0 and self._asked is None:
            super().timeout_keep_alive_handler()
        elif self._asked is None:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)

    def on_message_begin(self) -> None:
        """The parser has begun a request."""
        self._between = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A head that can go the short way the next time is shown to the door."""
        if self._head and self._is_plain():
            self.scope["extensions"] = {HEAD: {"bytes": self._head}}
        self._head = b""
        super().on_headers_complete()

    def _is_plain(self) -> bool:
        """Whether the same bytes will always mean this request, with a body whose length is known and small.

        They end where the parser says, too: it takes no other end of a line than ours, and refuses a length given twice.
        """
        headers = dict(self.headers)
        length = headers.get(b"content-length", b"")
        is_kept = self.parser.get_method() == b"POST" and self.parser.get_http_version() == "1.1" and self.parser.should_keep_alive()
        return is_kept and length.isdigit() and int(length) <= HIGH_WATER_LIMIT and headers.keys().isdisjoint(_NOT_PLAIN)

    def on_message_complete(self) -> None:
        """The parser has come to the end of a request."""
        self._between = not self.parser.should_upgrade()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """A connection whose request went the other way rests from now on."""
        super().on_response_complete()
        self._rested_at = self.loop.time()


def _lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join([b"%b: %b\r\n" % each for each in headers])
