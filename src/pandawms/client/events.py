"""The stream of changes: server-sent events, taken up where they broke off."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from pandawms.client.attempts import RetryPolicy, opened
from pandawms.client.resource import Items, Resource, Runner, streamed
from pandawms.client.script import Emit, Lost, Pause, Read, Request, Script
from pandawms.wire.event import ChangeEvent

SILENCE_SECONDS = 60.0
"""A stream without even a comment for so long is taken for dead and opened again."""


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event as the HTML standard defines them (section 9.2.6, event stream interpretation)."""

    data: str
    event: str = "message"
    id: str = ""


class EventParser:
    """Takes bytes as they come, gives the events that are complete."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[str] = []
        self._event = ""
        self.last_id = ""

    def feed(self, part: bytes) -> Iterator[ServerSentEvent]:
        """The events that end in this part."""
        *lines, self._rest = (self._rest + part).replace(b"\r\n", b"\n").split(b"\n")
        for line in lines:
            yield from self._line(line.decode("utf-8", "replace"))

    def _line(self, line: str) -> Iterator[ServerSentEvent]:
        if not line:
            if self._data:
                yield ServerSentEvent("\n".join(self._data), self._event or "message", self.last_id)
            self._data, self._event = [], ""
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id":
            self.last_id = value


def _changes(policy: RetryPolicy, *, task_id: int | None = None, after: str | None = None) -> Items[ChangeEvent]:
    """Changes as they happen, without end; after a break it goes on behind the last one seen (`after` at first)."""
    return Items(_followed(policy, task_id, after))


def _followed(policy: RetryPolicy, task_id: int | None, after: str | None) -> Script[None]:
    last_id = after or ""
    query = () if task_id is None else (("task_id", str(task_id)),)
    while True:
        headers = (("Accept", "text/event-stream"), *((("Last-Event-ID", last_id),) if last_id else ()))
        yield from opened(Request("GET", "/events", query, headers, read_seconds=SILENCE_SECONDS), policy)
        parser = EventParser()
        while part := (yield from _part()):
            for event in parser.feed(part):
                last_id = event.id or last_id
                yield Emit(msgspec.json.decode(event.data, type=ChangeEvent))
        yield Pause(policy.pause_seconds(0))


def _part() -> Script[bytes]:
    try:
        part: bytes = yield Read()
    except Lost:
        return b""
    return part


class Events(Resource[Runner]):
    """The stream of changes of the API."""

    changes = streamed(_changes)
