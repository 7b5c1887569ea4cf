"""The door for the pilot's frequent calls, in front of the framework, whose routing and requests would cost more than the calls themselves.

The functions are those of `routes/pilot.py` that say `frequent`: described, guarded and counted like all others. A call comes as plain ASGI, or, when its
head was answered before, by the server's short way (`main/short_way.py`), which needs no more than `PilotDoor.answer` and `PilotDoor.known`.
"""

import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from pandawms.api import problem
from pandawms.api.call import PilotCall, left
from pandawms.api.core import Core
from pandawms.api.guard import admit, bearer_token, check_query, check_text
from pandawms.api.metrics import Series
from pandawms.api.observe import answer_headers, given_number, new_number
from pandawms.api.policies import Action
from pandawms.api.tokens import digest
from pandawms.domain.errors import Limit, Unavailable
from pandawms.domain.identity import Who
from pandawms.wire.problem import CONTENT_TYPE

HEAD = "panda.head"
"""The extension of a scope by which a server gives the bytes of a request's head, when the same bytes will always mean the same."""
MOST_KNOWN = 4096
"""Heads that are kept, of about 1 kB each: a pilot's call, its token, and the lengths that its body has."""
JSON = b"application/json"
_PROBLEM = CONTENT_TYPE.encode()
_encode = msgspec.json.Encoder().encode

Headers = tuple[tuple[bytes, bytes], ...]
Gone = Callable[[], Coroutine[Any, Any, None]]
Body = bytes | Callable[[int, int], Awaitable[bytes]]
"""What has come, or a function that reads it, given the length that was announced and the most bytes that are taken."""
Frequent = tuple[Action, Callable[[PilotCall], Awaitable[object]]]


@dataclass(frozen=True, slots=True)
class Route:
    """One of the frequent calls."""

    path: str
    action: Action
    serve: Callable[[PilotCall], Awaitable[object]]
    series: Series


@dataclass(slots=True)
class Asked:
    """The head of a call: what the door needs of it. One that is kept serves all calls with the same head.

    `who` was admitted with it and is again, as long as the issuer says the same of the token with the digest `known_by`.
    """

    route: Route
    authorization: str | None
    query: bytes
    number: str | None
    length: int
    who: Who | None = None
    known_by: bytes = b""


@dataclass(slots=True)
class Answer:
    """What the caller is told, before it is written as ASGI or as bytes; `more` are headers that only this answer has."""

    status: int
    number: str
    body: bytes
    content_type: bytes = JSON
    more: Headers = ()


class PilotDoor:
    """Serves POST to the paths of `frequent` itself and passes everything else on to `app`. `busy` counts the calls whose body has come.

    `known` has the heads of calls that were answered well, by their bytes: a stranger's are never kept.
    """

    __slots__ = ("_routes", "app", "busy", "core", "known")

    def __init__(self, app: ASGIApp, core: Core, frequent: Mapping[str, Frequent]) -> None:
        self.app, self.core, self.busy = app, core, 0
        self.known: dict[bytes, Asked] = {}
        self._routes = {path: Route(path, action, serve, core.metrics.series("POST", path)) for path, (action, serve) in frequent.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request of the framework's server."""
        route = self._routes.get(scope["path"].rstrip("/")) if scope["type"] == ScopeType.HTTP and scope["method"] == "POST" else None
        if route is None:
            await self.app(scope, receive, send)
            return
        asked = _asked(route, scope)
        answer = await self.answer(asked, partial(_body, receive), partial(left, receive))
        self._remember(scope, asked, answer)
        headers = (b"content-type", answer.content_type), *answer.more, (b"content-length", b"%d" % len(answer.body))
        await send({"type": "http.response.start", "status": answer.status, "headers": [*headers, *answer_headers(answer.number, self.core.stopping)]})
        await send({"type": "http.response.body", "body": answer.body, "more_body": False})

    async def answer(self, asked: Asked, body: Body, gone: Gone) -> Answer:
        """Returns the answer to one call, whatever happens; `gone()` returns when the caller has left."""
        started = time.perf_counter()
        number = asked.number or new_number()
        try:
            answer = Answer(200, number, _encode(await self._serve(asked, body, gone)))
        except Exception as error:  # noqa: BLE001 - the boundary of a request
            answer = _failure(asked, error, number)
        asked.route.series.answered(answer.status, time.perf_counter() - started)
        return answer

    async def _serve(self, asked: Asked, body: Body, gone: Gone) -> object:
        core, route = self.core, asked.route
        if self.busy - core.room.waiting >= core.options.most_calls:
            raise Unavailable("too many calls are worked on", code="busy", hint="try again in a moment")
        who = core.issuer.kept(asked.known_by)
        if who is None or who is not asked.who:
            who = asked.who = await admit(core, route.action, asked.authorization)
        if asked.query:
            _check_query(asked.query)
        content = body if isinstance(body, bytes) else await body(asked.length, core.options.max_body_bytes)
        if len(content) > core.options.max_body_bytes:
            raise _too_large()
        self.busy += 1
        try:
            return await route.serve(PilotCall(core, who, content, gone))
        finally:
            self.busy -= 1

    def _remember(self, scope: Any, asked: Asked, answer: Answer) -> None:
        """Keeps a head by which a call was answered well; one with a number of its own will not come again."""
        head = scope.get("extensions", {}).get(HEAD)
        if head and answer.status == 200 and asked.number is None:
            if len(self.known) >= MOST_KNOWN:
                self.known.clear()
            asked.known_by = digest(bearer_token(asked.authorization))
            self.known[head["bytes"]] = asked


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
        raise _too_large()
    return b"".join(parts)


def _asked(route: Route, scope: Any) -> Asked:
    headers = dict(scope["headers"])
    authorization, length = headers.get(b"authorization"), headers.get(b"content-length", b"")
    token = authorization.decode("latin-1") if authorization is not None else None
    return Asked(route, token, scope["query_string"], given_number(headers), int(length) if length.isdigit() else 0)


def _check_query(raw: bytes) -> None:
    query = parse_qsl(raw.decode("latin-1"), keep_blank_values=True)
    check_text("", query)
    check_query(query, ())


def _too_large() -> Limit:
    return Limit("the body is too large", code="body.size", field="body", hint="send less at once")


def _failure(asked: Asked, error: Exception, number: str) -> Answer:
    found = problem.of_error(error, number, "POST", asked.route.path)
    more = tuple((name.lower().encode(), value.encode()) for name, value in problem.headers_of(found).items())
    return Answer(found.status, number, problem.document(found), _PROBLEM, more)
