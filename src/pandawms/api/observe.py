"""What is seen of every request: a number that leads from an answer to the log, and the figures for Prometheus."""

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import uuid4

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from pandawms.api.metrics import Metrics

HEADER = "X-Request-ID"
_GIVEN = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_KEY = "panda_request_id"
_NAME = HEADER.lower().encode()
_CLOSE = (b"connection", b"close")
_FIRST, _NUMBERS = uuid4().hex[:20], count(1)
"""A request's number: random for the process, then counted. A whole UUID for each costs as much as decoding a claim."""


def request_id(scope: Any) -> str:
    """Returns the number of the request: the caller's own when it is a plain word, else a new one."""
    if _KEY not in scope:
        scope[_KEY] = given_number(dict(scope["headers"])) or new_number()
    found: str = scope[_KEY]
    return found


def given_number(headers: Mapping[bytes, bytes]) -> str | None:
    """Returns the number that the caller gave its request, None when it is no plain word."""
    given = headers.get(_NAME)
    return given.decode() if given and _GIVEN.fullmatch(given) else None


def new_number() -> str:
    """Returns a number for a request."""
    return f"{_FIRST}{next(_NUMBERS):012x}"


def answer_headers(number: str, stopping: asyncio.Event) -> list[tuple[bytes, bytes]]:
    """Returns the headers that every answer has: its number, and the word to leave while the server ends."""
    named = (_NAME, number.encode())
    return [named, _CLOSE] if stopping.is_set() else [named]


@dataclass(frozen=True, slots=True)
class Observed:
    """Wraps the whole application: every answer, also of an unknown route, carries its number and is counted."""

    app: ASGIApp
    metrics: Metrics
    stopping: asyncio.Event

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != ScopeType.HTTP:
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()

        async def numbered(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *answer_headers(request_id(scope), self.stopping)]
                self._count(scope, message["status"], time.perf_counter() - started)
            await send(message)

        await self.app(scope, receive, numbered)

    def _count(self, scope: Any, status: int, seconds: float) -> None:
        route = str(scope.get("path_template") or "unknown")
        self.metrics.answered(scope["method"] if route != "unknown" else "any", route, status, seconds)
