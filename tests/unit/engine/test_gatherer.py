"""Calls that come while a batch is under way form the next; none waits for a timer and none fails for another's sake."""

import asyncio
from collections.abc import Sequence

import pytest

from pandawms.domain.errors import Invalid, Unavailable
from pandawms.engine.gathering import Gatherer


class Work:
    """Doubles numbers; the first batch waits until it is let go; numbers in `bad` are refused."""

    def __init__(self, bad: Sequence[int] = ()) -> None:
        self.batches: list[list[int]] = []
        self.go = asyncio.Event()
        self.begun = asyncio.Event()
        self.bad = bad

    async def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        self.begun.set()
        await self.go.wait()
        for item in items:
            if item in self.bad:
                raise Invalid(f"{item} is bad", code="bad")
        return [item * 2 for item in items]


async def begin(gatherer: Gatherer[int, int], work: Work, *items: int) -> list[asyncio.Task[int]]:
    """Calls with 0, and once that is under way with the others."""
    first = asyncio.create_task(gatherer.do(0))
    await work.begun.wait()
    rest = [asyncio.create_task(gatherer.do(item)) for item in items]
    await asyncio.sleep(0)
    return [first, *rest]


async def test_calls_that_come_while_a_batch_is_under_way_form_one_batch() -> None:
    work = Work()
    calls = await begin(Gatherer(work), work, 1, 2, 3)
    work.go.set()
    assert await asyncio.gather(*calls) == [0, 2, 4, 6]
    assert work.batches == [[0], [1, 2, 3]]


async def test_a_batch_holds_no_more_than_the_most() -> None:
    work = Work()
    calls = await begin(Gatherer(work, most=2), work, 1, 2, 3, 4, 5)
    work.go.set()
    assert await asyncio.gather(*calls) == [0, 2, 4, 6, 8, 10]
    assert work.batches == [[0], [1, 2], [3, 4], [5]]


async def test_a_call_after_all_is_done_starts_a_new_batch() -> None:
    work = Work()
    work.go.set()
    gatherer = Gatherer(work)
    assert [await gatherer.do(1), await gatherer.do(2)] == [2, 4]
    assert work.batches == [[1], [2]]


async def test_one_bad_item_fails_its_own_call_only() -> None:
    work = Work(bad=[2])
    calls = await begin(Gatherer(work), work, 1, 2, 3)
    work.go.set()
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert [found[0], found[1], found[3]] == [0, 2, 6]
    assert isinstance(found[2], Invalid)
    assert work.batches == [[0], [1, 2, 3], [1], [2], [3]]


async def test_a_caller_that_has_gone_is_left_out_of_the_batch() -> None:
    work = Work()
    calls = await begin(Gatherer(work), work, 1, 2, 3)
    calls[2].cancel()
    await asyncio.sleep(0)
    work.go.set()
    await asyncio.gather(*calls, return_exceptions=True)
    assert work.batches == [[0], [1, 3]]


async def test_a_batch_of_callers_that_have_all_gone_is_not_worked() -> None:
    work = Work()
    calls = await begin(Gatherer(work), work, 1)
    calls[1].cancel()
    await asyncio.sleep(0)
    work.go.set()
    assert await calls[0] == 0
    assert work.batches == [[0]]


async def test_beyond_the_limit_callers_are_told_to_come_again() -> None:
    work = Work()
    gatherer = Gatherer(work, limit=2)
    calls = await begin(gatherer, work, 1, 2)
    with pytest.raises(Unavailable) as caught:
        await gatherer.do(3)
    assert caught.value.code == "busy"
    work.go.set()
    assert await asyncio.gather(*calls) == [0, 2, 4]
    assert await gatherer.do(3) == 6, "and then they are served"
