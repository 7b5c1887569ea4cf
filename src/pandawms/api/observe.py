"""What is seen of every request: a number that leads from an answer to the log, and the figures for Prometheus."""

import re
import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from pandawms.api.metrics import Metrics

HEADER = "X-Request-ID"
_GIVEN = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_KEY = "panda_request_id"


def request_id(scope: Any) -> str:
    """Returns the number of the request: the caller's own when it is a plain word, else a new one."""
    if _KEY not in scope:
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        scope[_KEY] = given.decode() if _GIVEN.fullmatch(given) else uuid4().hex
    found: str = scope[_KEY]
    return found


@dataclass(frozen=True, slots=True)
class Observed:
    """Wraps the whole application: every answer, also of an unknown route, carries its number and is counted."""

    app: ASGIApp
    metrics: Metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != ScopeType.HTTP:
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()

        async def numbered(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (HEADER.lower().encode(), request_id(scope).encode())]
                self._count(scope, message["status"], time.perf_counter() - started)
            await send(message)

        await self.app(scope, receive, numbered)

    def _count(self, scope: Any, status: int, seconds: float) -> None:
        route = str(scope.get("path_template") or "unknown")
        self.metrics.answered(scope["method"] if route != "unknown" else "any", route, status, seconds)
