"""The stream of changes as server-sent events (HTML standard, section 9.2), in an order in which nothing can appear later."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import msgspec

from pandawms.api import policies, views
from pandawms.api.core import Core
from pandawms.domain.errors import Invalid
from pandawms.domain.identity import Who
from pandawms.store import events, lists
from pandawms.store.events import Event, Position

BATCH = 500
_POSITION = re.compile(r"(\d{1,19})-(\d{1,19})")


def position(text: str) -> Position:
    """Returns the position that an event's id names. Raises Invalid when it is none of ours."""
    found = _POSITION.fullmatch(text)
    if found is None or max(int(found[1]), int(found[2])) > lists.BIGINT:
        raise Invalid(
            "this is no id of an event", code="not_allowed", field="Last-Event-ID", value=text[:100], allowed="the id of the last event that was seen",
            hint="leave it out to begin now",
        )  # fmt: skip
    return Position(int(found[1]), int(found[2]))


@dataclass(slots=True)
class Visible:
    """Which events a caller may see: those of the own community, and all of queues and workers. Remembers what it looked up."""

    who: Who
    task_id: int | None
    communities: dict[tuple[str, int], str] = field(default_factory=dict)

    async def chosen(self, core: Core, found: Sequence[tuple[Position, Event]]) -> list[tuple[Position, Event]]:
        """Returns the events that are for the caller."""
        wanted = [pair for pair in found if self.task_id is None or pair[1].task_id == self.task_id]
        await self._look_up(core, {key for _, event in wanted if (key := _key(event)) is not None} - self.communities.keys())
        return [pair for pair in wanted if self._may_see(pair[1])]

    def _may_see(self, event: Event) -> bool:
        key = _key(event)
        return key is None or policies.may_see(self.who, self.communities.get(key, ""))

    async def _look_up(self, core: Core, keys: set[tuple[str, int]]) -> None:
        if not keys:
            return
        async with core.pool.acquire() as connection:
            tasks = await lists.communities_of_tasks(connection, [number for entity, number in keys if entity == "task"])
            datasets = await lists.communities_of_datasets(connection, [number for entity, number in keys if entity == "dataset"])
        self.communities |= {("task", number): name for number, name in tasks.items()}
        self.communities |= {("dataset", number): name for number, name in datasets.items()}


def _key(event: Event) -> tuple[str, int] | None:
    if event.task_id is not None:
        return ("task", event.task_id)
    return ("dataset", event.entity_id) if event.entity == "dataset" else None


async def stream(core: Core, visible: Visible, after: Position) -> AsyncIterator[bytes]:
    """Yields what has changed since a position, then each change as it comes, and a comment when nothing came for a while; ends with the server."""
    yield b": the changes follow\n\n"
    spoken_at = time.monotonic()
    while not core.stopping.is_set():
        async with core.pool.acquire() as connection:
            found = await events.tail(connection, after, BATCH)
        for place, event in await visible.chosen(core, found):
            yield _text(place, event)
            spoken_at = time.monotonic()
        after = found[-1][0] if found else after
        if time.monotonic() - spoken_at > core.options.event_silence_seconds:
            yield b": still here\n\n"
            spoken_at = time.monotonic()
        if len(found) < BATCH:
            await _pause(core.stopping, core.options.event_poll_seconds)


def _text(place: Position, event: Event) -> bytes:
    data = msgspec.json.encode(views.change(event, str(place)))
    return f"id: {place}\nevent: {event.entity}\ndata: ".encode() + data + b"\n\n"


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return
