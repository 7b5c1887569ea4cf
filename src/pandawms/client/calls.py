"""One call: a request and how its answer is read. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Generic, TypeVar
from urllib.parse import quote

import msgspec

from pandawms.client.attempts import RetryPolicy, exchanged
from pandawms.client.script import Reply, Request, Script
from pandawms.domain.errors import Unavailable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request and how its answer is read."""

    request: Request
    read: Callable[[Reply], T]

    def with_header(self, name: str, value: str) -> Call[T]:
        """The same call with one more header."""
        return replace(self, request=replace(self.request, headers=(*self.request.headers, (name, value))))

    def script(self, policy: RetryPolicy) -> Script[T]:
        """Sends the request, repeats it as the policy says, and reads the answer."""
        return self.read((yield from exchanged(self.request, policy)))


def get(type_: type[T], path: str, query: Mapping[str, object] | None = None) -> Call[T]:
    """A GET whose JSON answer is a `type_`; query values that are None or empty are left out."""
    return Call(Request("GET", path, _query(query or {})), reader(type_))


def send(method: str, type_: type[T], path: str, body: object = None, query: Mapping[str, object] | None = None) -> Call[T]:
    """A change with a JSON body (none for None) whose JSON answer is a `type_`."""
    content = None if body is None else msgspec.json.encode(body)
    return Call(Request(method, path, _query(query or {}), headers=(("Content-Type", "application/json"),), body=content), reader(type_))


def reader(type_: type[T]) -> Callable[[Reply], T]:
    """Reads a JSON answer; unknown keys of a newer server are ignored, an empty body is None."""

    def read(reply: Reply) -> T:
        try:
            return msgspec.json.decode(reply.body or b"null", type=type_)
        except msgspec.DecodeError as error:
            hint = "client and server may be of different versions: `panda doctor` shows both"
            raise Unavailable(f"the server's answer is not understood: {error}", code="bad_answer", hint=hint) from None

    return read


def segment(value: object) -> str:
    """A value as one segment of a path."""
    return quote(str(value), safe=":@,+=")


def _query(values: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    return tuple((name, _text(value)) for name, value in values.items() if value is not None and value not in ("", ()))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
