"""Shares never promise more than the whole, and what one leaves unused stays in its branch."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandawms.domain.share import Share, dispatch_order, fractions, targets


@st.composite
def trees(draw: st.DrawFn) -> list[Share]:
    size = draw(st.integers(1, 20))
    values = st.floats(0, 1e6, allow_nan=False)
    return [
        Share(
            number, f"share{number}", draw(values), draw(st.one_of(st.none(), st.integers(0, number - 1))) if number else None, is_throttled=draw(st.booleans())
        )
        for number in range(size)
    ]


def leaves(shares: list[Share]) -> list[Share]:
    parents = {share.parent_id for share in shares}
    return [share for share in shares if share.share_id not in parents]


@given(trees())
def test_the_leaves_never_exceed_the_whole(shares: list[Share]) -> None:
    parts = fractions(shares)
    assert 0 <= sum(parts[share.share_id] for share in leaves(shares)) <= 1
    assert set(parts) == {share.share_id for share in shares}


@given(trees(), st.data())
def test_the_order_holds_each_leaf_once_at_most_and_no_throttled_one(shares: list[Share], data: st.DataObject) -> None:
    running = {share.share_id: data.draw(st.floats(0, 1000)) for share in leaves(shares)}
    order = dispatch_order(shares, running)
    assert len({share.share_id for share in order}) == len(order)
    assert all(share in leaves(shares) and not share.is_throttled for share in order)


TREE = [Share(1, "production", 80), Share(2, "analysis", 20), Share(3, "simulation", 3, 1), Share(4, "reconstruction", 1, 1), Share(5, "idle", 0)]


def test_a_fraction_is_the_product_of_the_weights_on_the_way_down() -> None:
    assert fractions(TREE) == {1: Fraction(4, 5), 2: Fraction(1, 5), 3: Fraction(3, 5), 4: Fraction(1, 5), 5: 0}
    assert targets(TREE, 1000)[3] == pytest.approx(600)


def test_the_least_served_comes_first_and_a_share_without_target_last() -> None:
    assert [share.name for share in dispatch_order(TREE, {3: 10, 4: 0, 2: 100})] == ["reconstruction", "simulation", "analysis", "idle"]


def test_a_test_share_comes_before_all() -> None:
    assert dispatch_order([*TREE, Share(6, "tests", 0, is_test=True)], {})[0].name == "tests"


@pytest.mark.parametrize("broken", [[Share(1, "a", 1, 2), Share(2, "b", 1, 1)], [Share(1, "a", 1, 99)]])
def test_a_circle_or_a_missing_parent_is_refused(broken: list[Share]) -> None:
    with pytest.raises(ValueError, match="no way from the top"):
        fractions(broken)


@pytest.mark.parametrize("value", [-1, float("inf"), float("nan")])
def test_a_weight_that_is_no_weight_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="must be a finite number"):
        Share(1, "a", value)
