"""A request as handlers see it: who asks, the parts of the server, and bodies decoded by our own rules."""

from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from litestar import Request
from litestar.datastructures import State
from litestar.exceptions import InternalServerException
from litestar.types import Receive

from pandawms.api.core import Core
from pandawms.domain.errors import Invalid, Unavailable
from pandawms.domain.identity import Who
from pandawms.wire.decode import decode


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


@dataclass(slots=True)
class PilotCall:
    """One of the pilot's frequent calls, its body read: what `Call` is to all other routes, without the framework (`pilot_door.py`)."""

    core: Core
    who: Who
    body: bytes
    gone: Callable[[], Coroutine[Any, Any, None]]
    """Returns when the caller has gone away."""


async def left(receive: Receive) -> None:
    """Returns when the caller of an ASGI request has gone away. As its body has been read, http.disconnect is all that the server has left for us."""
    while (await receive())["type"] != "http.disconnect":
        pass
