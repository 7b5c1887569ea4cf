"""The log of changes, read once for all who watch this server process, in an order in which effects follow their causes."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import structlog

from pandawms.api import views
from pandawms.api.problem import DATABASE_FAILS
from pandawms.store import events
from pandawms.store.database import Pool
from pandawms.store.events import Event, Position

log = structlog.get_logger()

BATCH = 5_000
MOST_KEPT = 50_000
"""Changes that a watcher may be behind; one that is slower is told to come again."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change with its place in the log, and the position behind which a reader that has seen it goes on: none is left out, some may come again."""

    place: Position
    event: Event
    behind: Position

    def text(self) -> bytes:
        """The change as a server-sent event."""
        data = msgspec.json.encode(views.change(self.event, str(self.behind)))
        return f"id: {self.behind}\nevent: {self.event.entity}\ndata: ".encode() + data + b"\n\n"


Batch = Sequence[Change]


def key(position: Position) -> tuple[int, int]:
    """What positions are compared by."""
    return position.xid, position.event_id


def in_order(found: Sequence[tuple[Position, Event]], after: Position) -> list[Change]:
    """Returns the changes of one reading in the order in which they were written.

    The log is read by transaction, so that nothing can appear later. But a transaction that began first may write last: its lines are put where their
    numbers belong. Each is given the position up to which all have then been seen. Pure.
    """
    places, seen, complete, behind, changes = [place for place, _ in found], set[Position](), 0, after, []
    for place, event in sorted(found, key=lambda pair: pair[0].event_id):
        seen.add(place)
        while complete < len(places) and places[complete] in seen:
            behind, complete = places[complete], complete + 1
        changes.append(Change(place, event, behind))
    return changes


@dataclass(eq=False, slots=True)
class Watcher:
    """One who watches. `is_lost` when it was too slow: what it has not taken is gone."""

    most: int
    is_lost: bool = False
    _batches: deque[Batch] = field(default_factory=deque)
    _kept: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, batch: Batch) -> None:
        """Adds what is new."""
        self._kept += len(batch)
        if self._kept > self.most:
            self.is_lost = True
            self._batches.clear()
        if not self.is_lost:
            self._batches.append(batch)
        self._news.set()

    def end(self) -> None:
        """Wakes it for the last time."""
        self._news.set()

    async def next(self, seconds: float) -> Batch:
        """Returns what is new, empty when nothing came for so long, when it is lost or when the feed ends."""
        if not self._batches:
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), seconds)
            except TimeoutError:
                return ()
        if not self._batches:
            return ()
        batch = self._batches.popleft()
        self._kept -= len(batch)
        return batch


@dataclass(slots=True)
class Feed:
    """Reads the log every `poll_seconds` while somebody watches."""

    pool: Pool
    stopping: asyncio.Event
    poll_seconds: float = 0.5
    most_kept: int = MOST_KEPT
    _watchers: set[Watcher] = field(default_factory=set)
    _at: Position | None = None
    _reader: asyncio.Task[None] | None = None

    async def join(self) -> tuple[Watcher, Position]:
        """Returns a watcher and the position behind which it gets everything."""
        while self._at is None:
            async with self.pool.acquire() as connection:
                at = await events.horizon(connection)
            self._at = self._at or at
        watcher = Watcher(self.most_kept)
        self._watchers.add(watcher)
        if self._reader is None:
            self._reader = asyncio.create_task(self._read())
        if self.stopping.is_set():
            watcher.end()
        return watcher, self._at

    def leave(self, watcher: Watcher) -> None:
        """Nothing more is kept for it."""
        self._watchers.discard(watcher)

    async def before(self, after: Position, end: Position) -> Batch:
        """Returns the next changes behind `after`, none behind `end`: what was missed before one joined."""
        async with self.pool.acquire() as connection:
            found = await events.tail(connection, after, BATCH)
        return in_order([pair for pair in found if key(pair[0]) <= key(end)], after)

    async def _read(self) -> None:
        try:
            while self._watchers and not self.stopping.is_set():
                if not await self._look():
                    await self._pause()
        finally:
            self._at = self._reader = None
            for watcher in self._watchers:
                watcher.end()

    async def _look(self) -> bool:
        """Reads on; whether there may be more at once."""
        assert self._at is not None, "it is set while somebody watches"
        try:
            async with self.pool.acquire() as connection:
                found = await events.tail(connection, self._at, BATCH)
        except DATABASE_FAILS as error:
            log.warning("feed.unread", error=str(error))
            return False
        if found:
            batch, self._at = in_order(found, self._at), found[-1][0]
            for watcher in self._watchers:
                watcher.put(batch)
        return len(found) == BATCH

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self.stopping.wait(), self.poll_seconds)
        except TimeoutError:
            return
