"""The pure parts of examples/zpeak: event ranges, and what its two task files promise each other."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

ZPEAK = Path(__file__).parents[3] / "examples" / "zpeak"


def load_event_ranges() -> ModuleType:
    """The example's module, which is a plain script's neighbour and no package."""
    spec = importlib.util.spec_from_file_location("zpeak_event_ranges", ZPEAK / "event_ranges.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


event_ranges: Any = load_event_ranges()
event_numbers = st.sets(st.integers(min_value=0, max_value=60))


def numbers_in(ranges: list[list[int]]) -> list[int]:
    """All event numbers of some ranges, one by one."""
    return [number for first, last in ranges for number in range(first, last + 1)]


@given(event_numbers)
def test_ranges_cover_exactly_the_numbers_they_were_made_from(numbers: set[int]) -> None:
    ranges = event_ranges.from_numbers(numbers)
    assert numbers_in(ranges) == sorted(numbers)
    assert event_ranges.count(ranges) == len(numbers)


@given(event_numbers)
def test_gaps_are_the_numbers_missing_between_the_first_and_the_last(numbers: set[int]) -> None:
    missing = set(range(min(numbers, default=0), max(numbers, default=0))) - numbers
    assert numbers_in(event_ranges.gaps(event_ranges.from_numbers(numbers))) == sorted(missing)


@given(event_numbers, event_numbers)
def test_joining_succeeds_exactly_when_no_event_is_in_both(left: set[int], right: set[int]) -> None:
    both = event_ranges.from_numbers(left) + event_ranges.from_numbers(right)
    if left & right:
        with pytest.raises(event_ranges.EventTwiceError, match=f"{min(left & right)}"):
            event_ranges.joined(both)
    else:
        assert event_ranges.joined(both) == event_ranges.from_numbers(left | right)


def test_joining_leaves_its_input_as_it_was() -> None:
    ranges = [[1, 500], [501, 1000]]
    assert event_ranges.joined(ranges) == [[1, 1000]]
    assert ranges == [[1, 500], [501, 1000]]


def task_file(name: str) -> Any:
    """A task file of the example as plain data."""
    return yaml.safe_load((ZPEAK / name).read_text(encoding="utf-8"))


def test_both_tasks_share_one_environment_of_exact_versions() -> None:
    evgen, analysis = task_file("evgen.yaml"), task_file("analysis.yaml")
    assert evgen["environment"] == analysis["environment"]
    assert all("==" in package for package in evgen["environment"]["packages"])


def test_the_analysis_reads_an_output_that_the_generation_writes() -> None:
    evgen, analysis = task_file("evgen.yaml"), task_file("analysis.yaml")
    assert analysis["inputs"]["muons"] == {"task": evgen["name"], "output": "muons"}
    assert "muons" in evgen["outputs"]
    assert analysis["merge"]["inputs"] in analysis["outputs"]


@pytest.mark.parametrize("name", ["evgen.yaml", "analysis.yaml"])
def test_all_files_that_a_task_sends_are_there(name: str) -> None:
    assert [file for file in task_file(name)["program"]["files"] if not (ZPEAK / file).is_file()] == []
