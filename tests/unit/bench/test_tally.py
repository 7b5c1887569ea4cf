"""What the load generator counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandawms.main.bench.tally import Tally, latency, percentile


def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed() -> None:
    ordered = [float(n) for n in range(1, 101)]
    assert [percentile(ordered, share) for share in (0.01, 0.5, 0.99, 0.999, 1.0)] == [1, 50, 99, 100, 100]
    assert percentile([7.0], 0.5) == 7


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_at_least_the_asked_share_is_at_or_below_a_percentile(values: list[float], share: float) -> None:
    ordered = sorted(values)
    found = percentile(ordered, share)
    assert found in ordered
    assert sum(value <= found for value in ordered) >= share * len(ordered) - 1e-6


def test_durations_in_seconds_are_told_in_milliseconds() -> None:
    found = latency([0.002, 0.001, 0.003])
    assert (found.calls, found.p50, found.max) == (3, 2.0, 3.0)
    assert found.mean == pytest.approx(2.0)


def test_what_was_warm_up_is_not_counted_but_what_failed_is() -> None:
    tally = Tally()
    tally.times["claim"].append(1.0)
    tally.answers[200] += 1
    tally.lives, tally.failed, tally.retries = 5, 2, 3
    tally.clear()
    tally.times["claim"] += [0.001, 0.001]
    tally.lives = 4
    found = tally.result(2.0, 0.0001)
    assert (found.lives_per_second, found.calls_per_second, found.failed, found.retries, found.answers) == (2.0, 1.0, 2, 3, {})
    assert found.latency_ms["claim"].max == 1.0
    assert found.cpu_us_a_call == pytest.approx(50)
