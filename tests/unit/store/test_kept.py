"""Rows are kept for a moment: read in sets, renewed behind the askers' backs, and not believed for longer than was promised."""

import asyncio
from collections.abc import Collection

import pytest

from pandawms.store.kept import Kept


class Table:
    """Rows that can be read in sets; `go` holds a read up, `is_away` makes it fail."""

    def __init__(self, **rows: int) -> None:
        self.rows, self.now, self.is_away = dict(rows), 0.0, False
        self.reads: list[set[str]] = []
        self.go = asyncio.Event()
        self.go.set()

    async def read(self, keys: Collection[str]) -> dict[str, int]:
        self.reads.append(set(keys))
        await self.go.wait()
        if self.is_away:
            raise ConnectionError("away")
        return {key: self.rows[key] for key in keys if key in self.rows}

    def kept(self, most: int = 10) -> Kept[str, int]:
        """Rows that are due after 1 s and not believed after 3 s."""
        return Kept(self.read, 1, 3, most, lambda: self.now)


async def settled() -> None:
    """Lets everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_row_is_read_once_and_renewed_behind_the_askers_back() -> None:
    table = Table(a=1)
    kept = table.kept()
    assert [await kept.get("a") for _ in range(5)] == [1] * 5
    assert table.reads == [{"a"}]
    table.rows["a"], table.now = 2, 1.5
    assert await kept.get("a") == 1, "believed while it is asked about"
    await settled()
    assert (await kept.get("a"), len(table.reads)) == (2, 2)


async def test_a_row_is_fresh_until_it_is_due() -> None:
    table = Table(a=1)
    kept = table.kept()
    assert kept.fresh("a") is None
    await kept.get("a")
    for table.now, row in ((0.9, 1), (1.0, None)):
        assert kept.fresh("a") == row
    assert len(table.reads) == 1


async def test_a_row_that_has_gone_is_no_longer_believed_after_its_renewal() -> None:
    table = Table(a=1)
    kept = table.kept()
    await kept.get("a")
    del table.rows["a"]
    table.now = 1.5
    await kept.get("a")
    await settled()
    assert await kept.get("a") is None


async def test_a_key_without_a_row_is_asked_for_every_time() -> None:
    table = Table()
    kept = table.kept()
    assert await kept.get("a") is None
    table.rows["a"] = 1
    assert await kept.get("a") == 1


async def test_while_nobody_can_be_asked_a_row_is_believed_for_its_time_and_no_longer() -> None:
    table = Table(a=1)
    kept = table.kept()
    await kept.get("a")
    table.is_away = True
    for table.now in (1.5, 2.9):
        assert await kept.get("a") == 1
        await settled()
    table.now = 3.0
    with pytest.raises(ConnectionError):
        await kept.get("a")
    table.is_away = False
    assert await kept.get("a") == 1


async def test_keys_that_are_asked_for_while_a_read_is_under_way_form_the_next() -> None:
    table = Table(a=1, b=2, c=3)
    kept = table.kept()
    table.go.clear()
    first = asyncio.create_task(kept.get("a"))
    await settled()
    others = [asyncio.create_task(kept.get(key)) for key in "bcb"]
    await settled()
    table.go.set()
    assert await asyncio.gather(first, *others) == [1, 2, 3, 2]
    assert table.reads == [{"a"}, {"b", "c"}]


async def test_an_asker_that_goes_away_takes_nobody_along() -> None:
    table = Table(a=1)
    kept = table.kept()
    table.go.clear()
    first, second = asyncio.create_task(kept.get("a")), asyncio.create_task(kept.get("a"))
    await settled()
    first.cancel()
    await settled()
    table.go.set()
    assert await second == 1


async def test_no_more_rows_are_kept_than_allowed() -> None:
    table = Table(a=1, b=2, c=3)
    kept = table.kept(most=2)
    for key in "abc":
        await kept.get(key)
    await kept.get("c")
    assert len(table.reads) == 3
    await kept.get("a")
    assert table.reads[-1] == {"a"}
