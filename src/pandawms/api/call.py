"""A request as handlers see it: who asks, the parts of the server, and bodies decoded by our own rules."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

from litestar import Request
from litestar.datastructures import State
from litestar.exceptions import InternalServerException

from pandawms.api.core import Core
from pandawms.domain.errors import Invalid, Unavailable
from pandawms.domain.identity import Who
from pandawms.wire.decode import decode

T = TypeVar("T")


class Call(Request[Who, None, State]):
    """One request. Litestar's own seam for typed requests; JSON bodies are decoded strictly, with the errors of `wire.decode`."""

    __slots__ = ()

    @property
    def core(self) -> Core:
        """The parts of this server."""
        core: Core = self.app.state.core
        return core

    @property
    def who(self) -> Who:
        """Who asks; the guard has put it there."""
        return self.user

    async def json(self) -> Any:
        """Returns the body as the type of the handler's `data`. Raises Invalid that names field, value, allowed and hint."""
        field = self.route_handler.parsed_data_field
        assert field is not None, "only asked by a handler with data"
        return decode(field.annotation, await self.body())

    async def parts(self) -> AsyncIterator[bytes]:
        """Yields the body as it comes. Raises Unavailable when the caller goes away before its end."""
        try:
            async for part in self.stream():
                yield part
        except InternalServerException as error:
            raise Unavailable("the body broke off", code="body.broken", hint="send it again") from error


def header(call: Call, name: str, longest: int = 200) -> str | None:
    """Returns a header, None when it is not there. Raises Invalid when it is longer than allowed or not plain text."""
    value = call.headers.get(name)
    if value is not None and (not 0 < len(value) <= longest or not value.isprintable()):
        raise Invalid(
            f"{name} is not understood", code="not_allowed", field=name, value=value[:longest], allowed=f"1 to {longest} printable characters",
            hint="a UUID does well",
        )  # fmt: skip
    return value


async def until_gone(call: Call, work: Coroutine[Any, Any, T]) -> T | None:
    """Does some work that waits, for as long as the caller listens; None when it went away first, and then the work is cancelled.

    The body must have been read: from then on the only message an ASGI server has for us is http.disconnect.
    """
    working = asyncio.ensure_future(work)
    listening = asyncio.ensure_future(_disconnected(call))
    try:
        await asyncio.wait({working, listening}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() and not listening.done() else None
    finally:
        for task in (working, listening):
            task.cancel()
        await asyncio.gather(working, listening, return_exceptions=True)


async def _disconnected(call: Call) -> None:
    while (await call.receive())["type"] != "http.disconnect":
        pass
