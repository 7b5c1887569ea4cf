"""Figures, their bars, the names that can be asked for, and the table."""

import io
import re

import pytest
from rich.console import Console

from pandawms.domain.errors import Invalid
from pandawms.main.bench import scenarios
from pandawms.main.bench.figures import KINDS, Figure, known, number, rows
from pandawms.main.bench.run import QUICK
from pandawms.main.bench.session import Result
from pandawms.main.bench.table import print_table

ISSUE = (
    "lives_3_calls", "lives_10_calls", "share_of_limit", "share_of_batched", "create", "queue_depth_ratio", "archive_ratio", "claim_p99_ms", "server_mb",
    "idle_pilots_mb", "submit_to_start_ms",
)  # fmt: skip


def test_a_rate_must_be_at_least_and_a_time_at_most_its_bar() -> None:
    assert Figure("lives_3_calls", (1400, 1500, 1600)).is_met is True
    assert Figure("lives_3_calls", (1499,)).is_met is False
    assert Figure("claim_p99_ms", (20, 30, 10)).is_met is True
    assert Figure("claim_p99_ms", (20.5,)).is_met is False
    assert Figure("share_of_batched", (0.1,)).is_met is None


def test_a_figure_as_json_has_its_name_unit_and_the_three_values() -> None:
    document = Figure("create", (3, 1, 2)).document()
    assert [document[name] for name in ("name", "unit", "min", "median", "max", "at_least", "is_met")] == ["create", "jobs/s", 1, 2, 3, 25_000, False]


def test_each_figure_is_given_by_one_scenario_and_the_quick_ones_give_all_that_must_be_reached() -> None:
    given = [figure for each in scenarios.SCENARIOS.values() for figure in each.figures]
    assert sorted(given) == sorted(KINDS)
    quick = {figure for each in scenarios.chosen(None, is_quick=True).values() for figure in each.figures}
    assert set(ISSUE) <= quick


def test_only_takes_a_scenario_or_a_figure_of_one() -> None:
    assert list(scenarios.chosen("share_of_limit", is_quick=False)) == ["base"]
    assert list(scenarios.chosen("bulk", is_quick=True)) == ["bulk"]
    with pytest.raises(Invalid) as raised:
        known("live_3_calls", list(scenarios.SCENARIOS))
    assert raised.value.field == "--only"
    assert raised.value.hint == "did you mean lives_3_calls?"


@pytest.mark.parametrize(("value", "text"), [(25_000.4, "25,000"), (123.4, "123"), (12.34, "12.3"), (0.6, "0.60")])
def test_numbers_are_shown_with_three_digits_that_matter(value: float, text: str) -> None:
    assert number(value) == text


def test_the_table_names_machine_figures_bars_and_notes() -> None:
    figures = (Figure("lives_3_calls", (1000.0,)), Figure("limit", (2000.0,)))
    out = io.StringIO()
    print_table(Result(figures, (), ("one call failed",), QUICK, 100), Console(file=out, no_color=True, highlight=False), is_tty=False)
    said = out.getvalue()
    assert re.search(r"lives_3_calls +whole lives .* 1,000 +1,000 +1,000 +lives/s +at least 1,500 +no", said)
    assert "note: one call failed" in said
    assert [row[-1] for row in rows(figures)] == ["no", ""]
