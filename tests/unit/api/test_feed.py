"""The changes of one reading: effects after their causes, and no reader leaves any out, wherever it breaks off."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from pandawms.api.feed import Watcher, in_order, key
from pandawms.store.events import Event, Position

START = Position(0, 0)


def found(*places: tuple[int, int]) -> list[tuple[Position, Event]]:
    """A reading of the log, by transaction."""
    return [(Position(xid, n), Event(n, "job", 1, 1, "claim", "activated", "sent", datetime(2026, 1, 1, tzinfo=UTC), "x", None)) for xid, n in sorted(places)]


def test_what_was_written_later_is_told_later_though_its_transaction_began_before() -> None:
    changes = in_order(found((9, 105), (10, 100), (11, 110)), START)
    assert [change.place.event_id for change in changes] == [100, 105, 110]
    assert [str(change.behind) for change in changes] == ["0-0", "10-100", "11-110"], "who breaks off after the first gets it again, and the second"


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 1000)), unique_by=lambda place: place[1]), st.data())
def test_whoever_goes_on_behind_any_change_has_seen_all_that_was_left_behind(places: list[tuple[int, int]], data: st.DataObject) -> None:
    changes = in_order(found(*places), START)
    assert [change.place.event_id for change in changes] == sorted(n for _, n in places)
    n = data.draw(st.integers(0, len(changes)))
    behind = changes[n - 1].behind if n else START
    seen = {change.place for change in changes[:n]}
    again = {change.place for change in changes if key(change.place) > key(behind)}
    assert seen | again == {change.place for change in changes}
    assert not changes or key(changes[-1].behind) == max(key(change.place) for change in changes), "after the whole nothing comes again"


async def test_a_watcher_that_is_too_slow_is_lost_and_keeps_nothing() -> None:
    batch = in_order(found((1, 1), (1, 2), (1, 3)), START)
    watcher = Watcher(most=5)
    watcher.put(batch)
    assert list(await watcher.next(0)) == batch
    watcher.put(batch)
    assert not watcher.is_lost
    watcher.put(batch)
    assert (watcher.is_lost, list(await watcher.next(10))) == (True, [])
