"""The stream of changes as server-sent events (HTML standard, section 9.2), in an order in which nothing can appear later."""

import re
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from pandawms.api import policies
from pandawms.api.core import Core
from pandawms.api.feed import Change, key
from pandawms.domain.errors import Invalid
from pandawms.domain.identity import Who
from pandawms.store import catalogue, ids
from pandawms.store import tasks as tasks_store
from pandawms.store.events import Event, Position

PART = 100
"""Changes in one part of the answer."""
_POSITION = re.compile(r"(\d{1,19})-(\d{1,19})")


def position(text: str) -> Position:
    """Returns the position that an event's id names. Raises Invalid when it is none of ours."""
    found = _POSITION.fullmatch(text)
    if found is None or max(int(found[1]), int(found[2])) > ids.BIGINT:
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

    async def chosen(self, core: Core, found: Sequence[Change]) -> list[Change]:
        """Returns the changes that are for the caller."""
        wanted = [change for change in found if self.task_id is None or change.event.task_id == self.task_id]
        await self._look_up(core, {thing for change in wanted if (thing := _thing(change.event)) is not None} - self.communities.keys())
        return [change for change in wanted if self._may_see(change.event)]

    def _may_see(self, event: Event) -> bool:
        thing = _thing(event)
        return thing is None or policies.may_see(self.who, self.communities.get(thing, ""))

    async def _look_up(self, core: Core, keys: set[tuple[str, int]]) -> None:
        if not keys:
            return
        async with core.pool.acquire() as connection:
            tasks = await tasks_store.communities(connection, [number for entity, number in keys if entity == "task"])
            datasets = await catalogue.communities(connection, [number for entity, number in keys if entity == "dataset"])
        self.communities |= {("task", number): name for number, name in tasks.items()}
        self.communities |= {("dataset", number): name for number, name in datasets.items()}


def _thing(event: Event) -> tuple[str, int] | None:
    if event.task_id is not None:
        return ("task", event.task_id)
    return ("dataset", event.entity_id) if event.entity == "dataset" else None


async def stream(core: Core, visible: Visible, after: Position | None) -> AsyncIterator[bytes]:
    """Yields what has changed since a position (since now without one), then each change as it comes, and a comment when nothing came for a while.

    Ends with the server, and when the caller takes the changes too slowly: it goes on behind the last that it saw.
    """
    watcher, live = await core.feed.join()
    try:
        yield b": the changes follow\n\n"
        seen = after or live
        while missed := await core.feed.before(seen, live):
            async for text in _texts(core, visible, missed):
                yield text
            seen = missed[-1].behind
        speak_at = time.monotonic() + core.options.event_silence_seconds
        while not core.stopping.is_set() and not watcher.is_lost:
            news = await watcher.next(max(0, speak_at - time.monotonic()))
            texts = [text async for text in _texts(core, visible, [change for change in news if key(change.place) > key(seen)])]
            for text in texts or ([b": still here\n\n"] if time.monotonic() >= speak_at else []):
                yield text
                speak_at = time.monotonic() + core.options.event_silence_seconds
        if watcher.is_lost:
            yield b": too slow; come again with Last-Event-ID\n\n"
    finally:
        core.feed.leave(watcher)


async def _texts(core: Core, visible: Visible, changes: Sequence[Change]) -> AsyncIterator[bytes]:
    """The changes that are for the caller, several in one part."""
    chosen = await visible.chosen(core, changes)
    for begin in range(0, len(chosen), PART):
        yield b"".join([change.text() for change in chosen[begin : begin + PART]])
