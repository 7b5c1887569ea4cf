"""The door for the pilot's frequent calls, in plain ASGI in front of the framework, whose routing and requests would cost more than the calls themselves.

The functions are those of `routes/pilot.py` that say `frequent`: described, guarded and counted like all others.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from pandawms.api import problem
from pandawms.api.call import PilotCall
from pandawms.api.core import Core
from pandawms.api.guard import admit, check_query, check_text
from pandawms.api.observe import every_answer
from pandawms.api.policies import Action
from pandawms.domain.errors import Limit, Unavailable
from pandawms.wire.problem import CONTENT_TYPE

_JSON = (b"content-type", b"application/json")
_PROBLEM = (b"content-type", CONTENT_TYPE.encode())
_encode = msgspec.json.Encoder().encode

Headers = list[tuple[bytes, bytes]]
Route = tuple[Action, Callable[[PilotCall], Awaitable[object]]]


@dataclass(slots=True)
class PilotDoor:
    """Serves POST to the paths of `routes` itself and passes everything else on to `app`. `busy` counts the calls whose body has come."""

    app: ASGIApp
    core: Core
    routes: Mapping[str, Route]
    busy: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        path = scope["path"].rstrip("/") if scope["type"] == ScopeType.HTTP and scope["method"] == "POST" else ""
        route = self.routes.get(path)
        if route is None:
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        try:
            status, headers, body = 200, [_JSON], _encode(await self._answer(route, scope, receive))
        except Exception as error:  # noqa: BLE001 - the boundary of a request
            status, headers, body = _failure(scope, error)
        headers += (b"content-length", b"%d" % len(body)), *every_answer(scope, self.core.stopping)
        self.core.metrics.answered("POST", path, status, time.perf_counter() - started)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _answer(self, route: Route, scope: Any, receive: Receive) -> object:
        if self.busy - self.core.room.waiting >= self.core.options.most_calls:
            raise Unavailable("too many calls are worked on", code="busy", hint="try again in a moment")
        (action, serve), (authorization, length) = route, _headers(scope)
        who = await admit(self.core, action, authorization)
        if scope["query_string"]:
            query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
            check_text("", query)
            check_query(query, ())
        body = await _body(receive, length, self.core.options.max_body_bytes)
        self.busy += 1
        try:
            return await serve(PilotCall(self.core, who, body, receive))
        finally:
            self.busy -= 1


def _headers(scope: Any) -> tuple[str | None, int]:
    """The Authorization header and the announced length of the body (0 when none is)."""
    headers = dict(scope["headers"])
    authorization, length = headers.get(b"authorization"), headers.get(b"content-length", b"")
    return authorization.decode("latin-1") if authorization is not None else None, int(length) if length.isdigit() else 0


async def _body(receive: Receive, length: int, most_bytes: int) -> bytes:
    """The whole body, however slowly it comes. Raises Limit when it is announced or becomes too large, Unavailable when the caller goes away before its end."""
    parts: list[bytes] = []
    more = length <= most_bytes
    while more:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            raise Unavailable("the body broke off", code="body.broken", hint="send it again")
        parts.append(message.get("body", b""))
        length = max(length, sum(map(len, parts)))
        more = bool(message.get("more_body")) and length <= most_bytes
    if length > most_bytes:
        raise Limit("the body is too large", code="body.size", field="body", hint="send less at once")
    return b"".join(parts)


def _failure(scope: Any, error: Exception) -> tuple[int, Headers, bytes]:
    found = problem.of_error(scope, error)
    headers = [_PROBLEM, *((name.lower().encode(), value.encode()) for name, value in problem.headers_of(found).items())]
    return found.status, headers, problem.document(found)
