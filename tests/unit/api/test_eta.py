"""How long a task will still take."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pandawms.api.eta import estimate
from pandawms.store.tasks import Ended

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def ended(walls: list[float], gap_seconds: float = 1.0) -> list[Ended]:
    """Jobs that ended one after another, the newest first, the last of them just now."""
    return [Ended(wall, None, NOW - timedelta(seconds=gap_seconds * n)) for n, wall in enumerate(walls)]


def test_nothing_is_said_without_enough_finished_jobs_or_without_running_ones() -> None:
    assert estimate(10, 2, ended([5, 5]), NOW) is None
    assert estimate(10, 0, ended([5] * 10), NOW) is None
    assert estimate(0, 2, ended([5] * 10), NOW) is None


def test_equal_jobs_at_a_steady_rate_give_a_narrow_range() -> None:
    found = estimate(10, 2, ended([10.0] * 20, gap_seconds=5), NOW)
    assert found is not None
    assert found.low_seconds >= 45
    assert found.high_seconds <= 55


def test_a_pause_makes_the_upper_end_longer() -> None:
    jobs, later = ended([10.0] * 20, gap_seconds=5), NOW + timedelta(seconds=300)
    before, after = estimate(10, 2, jobs, NOW), estimate(10, 2, jobs, later)
    assert before is not None
    assert after is not None
    assert after.high_seconds > 2 * before.high_seconds


@given(st.integers(1, 10_000), st.integers(1, 1000), st.lists(st.floats(0, 1e6), min_size=3, max_size=50), st.floats(0, 1000))
def test_the_range_is_never_upside_down_or_negative(left: int, slots: int, walls: list[float], gap: float) -> None:
    found = estimate(left, slots, ended(walls, gap), NOW)
    assert found is not None
    assert 0 <= found.low_seconds <= found.high_seconds
