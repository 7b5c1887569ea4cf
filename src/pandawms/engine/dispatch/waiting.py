"""Where claims wait that found nothing: in line by queue and slot, oldest first, tried again a few at a time when the queue's bell rings.

A bell says only that jobs of the queue may have become ready. So the first in line tries; when it gets something the next two try, then four, and so on; who
gets nothing ends the round for all that could have run no more than it. Those in line behind cost nothing, however many they are.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from pandawms.domain.errors import Conflict, NotFound, Unavailable
from pandawms.engine.dispatch.plan import Claim
from pandawms.wire.pilot.claim import JobSpec

MOST_TRIED = 256
"""Claims tried at once: as many as one batch of the dispatcher takes."""

Jobs = tuple[JobSpec, ...]
Gone = Callable[[], Coroutine[Any, Any, None]]
Kind = tuple[int, int, int, str, int, int, str, int]


@dataclass(eq=False, slots=True)
class Seat:
    """One claim that waits. `attempt` is set while it is tried; `is_over` says that this attempt is its last."""

    claim: Claim
    answer: asyncio.Future[Jobs]
    attempt: asyncio.Task[Jobs] | None = None
    is_over: bool = False

    @property
    def kind(self) -> Kind:
        """What claims that stand in the same line have alike: all of the slot but the time that is left of it."""
        asked = self.claim.request
        return (asked.cores, asked.memory_mb, asked.disk_mb, asked.architecture, asked.gpus, asked.nodes, asked.gpu_model, asked.gpu_memory_mb)

    @property
    def reach_seconds(self) -> float:
        """The longest job that the slot has time for."""
        left = self.claim.request.remaining_seconds
        return float("inf") if left is None else left

    def end(self) -> None:
        """Its time is over, or the server ends: it leaves with nothing, or with what an attempt under way gets."""
        self.is_over = True
        if self.attempt is None:
            self._leave(())

    def drop(self) -> None:
        """The pilot has gone: it leaves at once, and an attempt that has not begun in the database is not made."""
        if self.attempt is not None:
            self.attempt.cancel()
        self._leave(())

    def settle(self) -> float:
        """Leaves with what the attempt got. Returns the reach of a claim that got nothing (infinite after a failure), else -1.

        A claim that is refused says nothing of the others.
        """
        attempt, self.attempt = self.attempt, None
        if attempt is None or attempt.cancelled():
            return -1
        error = attempt.exception()
        if error is not None:
            if not self.answer.done():
                self.answer.set_exception(error)
            return -1 if isinstance(error, (Conflict, NotFound)) else float("inf")
        given = attempt.result()
        if given or self.is_over:
            self._leave(given)
        return -1 if given else self.reach_seconds

    def _leave(self, given: Jobs) -> None:
        if not self.answer.done():
            self.answer.set_result(given)


@dataclass(eq=False, slots=True)
class Line:
    """The claims that wait for one queue, by kind, oldest first; how often its bell has rung, and what is under way for it."""

    rings: int = 0
    kinds: dict[Kind, dict[Seat, None]] = field(default_factory=dict)
    round: asyncio.Task[None] | None = None
    look: asyncio.TimerHandle | None = None


@dataclass(slots=True)
class WaitingRoom:
    """The waiting claims of one server process. `claim` is the dispatcher's: one attempt. Each line is looked at every `look_seconds` without a bell, too."""

    attempt: Callable[[Claim], Coroutine[Any, Any, Jobs]]
    stopping: asyncio.Event
    look_seconds: float = 5
    limit: int = 20_000
    waiting: int = 0
    _lines: dict[int, Line] = field(default_factory=dict)
    _closing: asyncio.Task[None] | None = None

    async def claim(self, claim: Claim, seconds: float, gone: Gone) -> Jobs:
        """Gives a claim its jobs, at once or as soon as there are some.

        Nothing when the time is over, the pilot has gone (`gone()` returns) or the server ends.
        Raises Unavailable when too many wait, and what an attempt raised.
        """
        line = self._lines.setdefault(claim.queue_id, Line())
        rings = line.rings
        given = await self.attempt(claim)
        if given or seconds <= 0 or self.stopping.is_set():
            return given
        if self.waiting >= self.limit:
            raise Unavailable("too many claims wait", code="busy", hint="try again in a moment")
        return await self._wait(line, claim, rings, seconds, gone())

    def ring(self, queue_id: str) -> None:
        """Jobs of a queue may have become ready. A queue for which nobody has asked yet has no line, and needs none."""
        line = self._lines.get(int(queue_id))
        if line is not None:
            self._ring(line)

    def ring_all(self) -> None:
        """Jobs of any queue may have become ready unheard."""
        for line in self._lines.values():
            self._ring(line)

    async def _wait(self, line: Line, claim: Claim, rings: int, seconds: float, gone: Awaitable[None]) -> Jobs:
        seat = Seat(claim, asyncio.get_running_loop().create_future())
        timer = seat.answer.get_loop().call_later(seconds, seat.end)
        listener = asyncio.ensure_future(gone)
        listener.add_done_callback(lambda _: seat.drop())
        line.kinds.setdefault(seat.kind, {})[seat] = None
        self.waiting += 1
        self._attend(line)
        if line.rings != rings:  # the bell rang behind its back, while it tried
            self._ring(line)
        try:
            return await seat.answer
        finally:
            timer.cancel()
            listener.cancel()
            self._remove(line, seat)

    def _remove(self, line: Line, seat: Seat) -> None:
        self.waiting -= 1
        same = line.kinds[seat.kind]
        del same[seat]
        if not same:
            del line.kinds[seat.kind]

    def _attend(self, line: Line) -> None:
        """Sees to it that somebody looks at the line now and then, and that the end of the server ends it."""
        if line.look is None:
            line.look = asyncio.get_running_loop().call_later(self.look_seconds, self._look, line)
        if self._closing is None or self._closing.done():
            self._closing = asyncio.create_task(self._close())

    def _look(self, line: Line) -> None:
        line.look = None
        if line.kinds:
            self._attend(line)
            self._ring(line)

    async def _close(self) -> None:
        await self.stopping.wait()
        for line in self._lines.values():
            for seats in line.kinds.values():
                for seat in seats:
                    seat.end()

    def _ring(self, line: Line) -> None:
        line.rings += 1
        if line.kinds and line.round is None:
            line.round = asyncio.create_task(self._serve(line))

    async def _serve(self, line: Line) -> None:
        """Tries those in line once for all rings that were heard before it began; a ring that comes meanwhile makes it go round again."""
        heard = -1
        try:
            while heard != line.rings:
                heard = line.rings
                for seats in list(line.kinds.values()):
                    await self._serve_kind(seats)
        finally:
            line.round = None

    async def _serve_kind(self, seats: dict[Seat, None]) -> None:
        left, n = list(seats), 1
        while left:
            tried, left = left[:n], left[n:]
            reach = await self._try([seat for seat in tried if not seat.answer.done()])
            left = [seat for seat in left if seat.reach_seconds > reach]
            n = min(2 * n, MOST_TRIED)

    async def _try(self, seats: Sequence[Seat]) -> float:
        """Tries these claims as one batch; returns the longest reach of those that got nothing, -1 when all got something."""
        for seat in seats:
            seat.attempt = asyncio.create_task(self.attempt(seat.claim))
        if seats:
            await asyncio.wait([seat.attempt for seat in seats if seat.attempt is not None])
        return max((seat.settle() for seat in seats), default=-1)
