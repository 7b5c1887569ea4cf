"""Gathers concurrent calls of one operation into one transaction each, without a timer: what comes while a batch is under way forms the next."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pandawms.domain.errors import PandaError, Unavailable
from pandawms.engine.boundary import DATABASE_AWAY

TURNS = 2
"""Turns of the event loop before a batch is taken: one in which the last answers are written and what has arrived is read, one in which that is understood."""
Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(slots=True)
class Gatherer(Generic[Item, Answer]):
    """Calls `work` with up to `most` items at a time and gives each caller its answer after the commit.

    When a batch fails for another reason than a database that is away, its items are worked one by one, so that one bad item cannot fail the others.
    An exception among the answers is raised for its caller alone. A caller that has gone away before its batch began is left out. `limit` bounds the
    items that wait; beyond it callers get Unavailable. Before a batch is taken, answers of the last one are written and calls that have arrived are read,
    which makes batches larger. Gatherers that are given the same `lane` have one batch under way between them: theirs are fewer and larger then, and cost
    less in all, when the processors are what is scarce (docs/explanation/hot-path.md).
    """

    work: Callable[[Sequence[Item]], Awaitable[Sequence[Answer | PandaError]]]
    most: int = 256
    limit: int = 10_000
    lane: asyncio.Lock = field(default_factory=asyncio.Lock)
    _waiting: list[tuple[Item, asyncio.Future[Answer]]] = field(default_factory=list)
    _worker: asyncio.Task[None] | None = None

    async def do(self, item: Item) -> Answer:
        """Returns the answer for one item. Raises what `work` raised for it, or Unavailable when too many wait."""
        if len(self._waiting) >= self.limit:
            raise Unavailable("too many calls wait", code="busy", hint="try again in a moment")
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._drain())
        return await future

    async def _drain(self) -> None:
        while self._waiting:
            async with self.lane:
                for _ in range(TURNS):
                    await asyncio.sleep(0)
                batch, self._waiting = self._waiting[: self.most], self._waiting[self.most :]
                await self._work([pair for pair in batch if not pair[1].cancelled()])

    async def _work(self, batch: Sequence[tuple[Item, asyncio.Future[Answer]]]) -> None:
        if not batch:
            return
        try:
            answers = list(zip(batch, await self.work([item for item, _ in batch]), strict=True))
        except DATABASE_AWAY as error:
            _fail(batch, error)
        except Exception as error:  # noqa: BLE001 - part of the boundary of a request: it is handed to the caller
            await self._apart(batch, error)
        else:
            for (_, future), answer in answers:
                _answer(future, answer)

    async def _apart(self, batch: Sequence[tuple[Item, asyncio.Future[Answer]]], error: Exception) -> None:
        if len(batch) == 1:
            _fail(batch, error)
            return
        for pair in batch:
            await self._work([pair])


def _answer(future: asyncio.Future[Any], answer: object) -> None:
    if future.done():
        return
    if isinstance(answer, PandaError):
        future.set_exception(answer)
    else:
        future.set_result(answer)


def _fail(batch: Sequence[tuple[Any, asyncio.Future[Any]]], error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
