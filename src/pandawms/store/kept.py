"""Rows kept in memory for a moment, so that a call which is made thousands of times a second need not ask the database each time."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Key = TypeVar("Key")
Row = TypeVar("Row")


@dataclass(slots=True)
class Kept(Generic[Key, Row]):
    """Rows by key, read in sets. A row that is asked for is read again, with all others that are due, once it is older than `renew_seconds`.

    It is believed while that goes on, but never for longer than `believe_seconds`: then whoever asks waits for the database, and fails with it. One read is
    under way at a time; keys that are asked for meanwhile form the next. Keys without a row are not kept. At most `most` rows are.
    """

    read: Callable[[Collection[Key]], Awaitable[Mapping[Key, Row]]]
    renew_seconds: float
    believe_seconds: float
    most: int = 10_000
    clock: Callable[[], float] = time.monotonic
    _rows: dict[Key, tuple[float, Row]] = field(default_factory=dict)
    _asked: set[Key] = field(default_factory=set)
    _next: asyncio.Task[Mapping[Key, Row]] | None = None
    _running: asyncio.Task[Mapping[Key, Row]] | None = None

    def fresh(self, key: Key) -> Row | None:
        """Returns the row of a key when it is kept and not yet due, so that `get` would return it at once."""
        kept = self._rows.get(key)
        return kept[1] if kept is not None and self.clock() - kept[0] < self.renew_seconds else None

    async def get(self, key: Key) -> Row | None:
        """Returns the row of a key, None when there is none. Raises what the read raises when no row is kept that can be believed."""
        kept = self._rows.get(key)
        age = self.clock() - kept[0] if kept is not None else self.believe_seconds
        if kept is None or age >= self.believe_seconds:
            return (await asyncio.shield(self._soon(key))).get(key)
        if age >= self.renew_seconds:
            self._soon(key)
        return kept[1]

    def _soon(self, key: Key) -> asyncio.Task[Mapping[Key, Row]]:
        self._asked.add(key)
        if self._next is None:
            self._next = asyncio.create_task(self._read_after(self._running))
            self._next.add_done_callback(_retrieve)
        return self._next

    async def _read_after(self, previous: asyncio.Task[Mapping[Key, Row]] | None) -> Mapping[Key, Row]:
        if previous is not None:
            await asyncio.wait([previous])
        self._running, self._next = self._next, None
        asked, self._asked = self._asked, set()
        at = self.clock()
        found = await self.read(asked)
        for key in asked:
            self._rows.pop(key, None)
            if key in found:
                self._rows[key] = (at, found[key])
        while len(self._rows) > self.most:
            self._rows.pop(next(iter(self._rows)))
        return found


def _retrieve(reading: asyncio.Task[object]) -> None:
    """A renewal that failed is nobody's: the row is believed until its time is over, and then the failure is the asker's."""
    if not reading.cancelled():
        reading.exception()
