"""How a task ends: the table of semantics 3.10, line by line, and what must hold whatever the numbers are."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandawms.domain.task import TASK, TaskEvent, TaskStatus
from pandawms.engine.aggregate.verdict import BAD, TABLE, Facts, Goal, fate_of_child, reaches_goal_early, verdict

S, E = TaskStatus, TaskEvent
WHOLE = Facts(S.PREPARED, n_listed=20, n_finished=20, n_failed=0)
PARTLY = replace(WHOLE, n_finished=17, n_failed=3)


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    """Any task of which no job is left."""
    listed = draw(st.integers(0, 30))
    finished = draw(st.integers(0, listed))
    per_unit = draw(st.integers(0, 10))
    parent = draw(st.none() | st.sampled_from(sorted(TaskStatus)))
    goal = Goal(draw(st.floats(0.001, 100)), draw(st.sampled_from(["finish", "fail", "exhaust"])), draw(st.booleans()))
    status = draw(st.sampled_from([S.PREPARED, S.PASSED]))
    return Facts(status, listed, finished, listed - finished, listed * per_unit, finished * per_unit, parent, draw(st.booleans()), draw(st.booleans()), goal)


@pytest.mark.parametrize(
    ("changes", "event", "rule"),
    [
        ({}, E.COMPLETE, "all_done"),
        ({"status": S.TOBROKEN}, E.BREAK, "broken"),
        ({"status": S.ABORTING}, E.ABORT, "aborted"),
        ({"status": S.TOABORT}, E.ABORT, "aborted"),
        ({"n_listed": 0, "n_finished": 0}, E.FAIL, "no_input"),
        ({"n_listed": 0, "n_finished": 0, "may_be_empty": True}, E.COMPLETE, "nothing_to_do"),
        ({"n_listed": 0, "n_finished": 0, "may_be_empty": True, "parent_status": S.FINISHED}, E.COMPLETE_PARTLY, "input_incomplete"),
        ({"parent_status": S.DONE}, E.COMPLETE, "all_done"),
        ({"parent_status": S.FAILED}, E.FAIL, "parent_bad"),
        ({"parent_status": S.BROKEN}, E.FAIL, "parent_bad"),
        ({"parent_status": S.ABORTED}, E.FAIL, "parent_bad"),
        ({"parent_status": S.FINISHED}, E.COMPLETE_PARTLY, "input_incomplete"),
        ({"parent_status": S.RUNNING}, E.COMPLETE_PARTLY, "input_incomplete"),
        ({"is_growing": True}, E.COMPLETE_PARTLY, "input_incomplete"),
        ({"n_finished": 0, "n_failed": 20}, E.FAIL, "nothing_done"),
        ({"n_finished": 0, "n_failed": 20, "goal": Goal(80, "exhaust")}, E.FAIL, "nothing_done"),
        ({"n_finished": 17, "n_failed": 3}, E.COMPLETE_PARTLY, "partly_done"),
        ({"n_finished": 17, "n_failed": 3, "goal": Goal(85, "fail")}, E.COMPLETE_PARTLY, "partly_done"),
        ({"n_finished": 17, "n_failed": 3, "goal": Goal(90, "fail")}, E.FAIL, "goal_missed"),
        ({"n_finished": 17, "n_failed": 3, "goal": Goal(90, "exhaust")}, E.EXHAUST, "goal_missed"),
        ({"n_finished": 17, "n_failed": 3, "goal": Goal(90, "finish")}, E.COMPLETE_PARTLY, "partly_done"),
        ({"n_finished": 17, "n_failed": 3, "goal": Goal(80, "exhaust"), "parent_status": S.FINISHED}, E.EXHAUST, "parent_incomplete"),
        ({"goal": Goal(100, "exhaust"), "parent_status": S.FINISHED}, E.EXHAUST, "parent_incomplete"),
        ({"status": S.PASSED, "n_finished": 17, "n_failed": 3, "goal": Goal(90, "fail")}, E.COMPLETE_PARTLY, "partly_done"),
        ({"status": S.PASSED, "n_finished": 17, "n_failed": 3, "goal": Goal(90, "exhaust")}, E.COMPLETE_PARTLY, "partly_done"),
        ({"n_finished": 17, "n_failed": 3, "n_events": 1000, "n_events_finished": 950, "goal": Goal(95, "fail")}, E.COMPLETE_PARTLY, "partly_done"),
        ({"n_finished": 19, "n_failed": 1, "n_events": 1000, "n_events_finished": 900, "goal": Goal(95, "fail")}, E.FAIL, "goal_missed"),
    ],
)
def test_each_line_of_the_table_decides_what_it_says(changes: dict[str, Any], event: TaskEvent, rule: str) -> None:
    found = verdict(replace(WHOLE, **changes))
    assert (found.event, found.rule) == (event, rule)


@given(facts())
def test_every_task_gets_a_verdict_that_its_status_may_take(found: Facts) -> None:
    assert TASK.next_status(found.status, verdict(found).event)


@given(facts())
def test_a_task_is_done_only_when_all_its_input_was_processed_and_no_more_can_come(found: Facts) -> None:
    if verdict(found).event == E.COMPLETE:
        assert found.n_failed == 0 and not found.is_growing and found.parent_status in (None, S.DONE)
        assert found.n_finished or found.may_be_empty


@given(facts())
def test_no_child_of_a_bad_parent_and_no_task_without_a_finished_unit_ends_well(found: Facts) -> None:
    if found.parent_status in BAD or (found.n_finished == 0 and not found.may_be_empty):
        assert verdict(found).event == E.FAIL


@given(facts())
def test_who_asked_for_a_finish_gets_finished_whatever_the_goal(found: Facts) -> None:
    if found.status == S.PASSED and found.n_finished and found.parent_status not in BAD:
        assert verdict(found).event in (E.COMPLETE, E.COMPLETE_PARTLY)


@given(facts(), st.floats(0.001, 100))
def test_a_lower_goal_is_never_worse(found: Facts, percent: float) -> None:
    order = [E.FAIL, E.EXHAUST, E.COMPLETE_PARTLY, E.COMPLETE]
    lower = replace(found, goal=replace(found.goal, percent=min(percent, found.goal.percent)))
    assert order.index(verdict(lower).event) >= order.index(verdict(found).event)


@given(facts())
def test_the_sentence_has_no_hole_and_the_numbers_are_those_of_the_task(found: Facts) -> None:
    numbers = verdict(found).numbers
    assert numbers["text"] and "{" not in numbers["text"]
    assert (numbers["inputs"], numbers["finished"], numbers["failed"]) == (found.n_listed, found.n_finished, found.n_failed)


RUNNING = Facts(S.RUNNING, n_listed=20, n_finished=16, n_failed=0, goal=Goal(80))


def test_a_task_ends_early_when_its_goal_is_reached() -> None:
    assert reaches_goal_early(RUNNING)
    assert reaches_goal_early(replace(RUNNING, parent_status=S.DONE))


@pytest.mark.parametrize(
    "changes",
    [
        {"n_finished": 15},
        {"goal": Goal(80, finish_early=False)},
        {"goal": Goal(100), "n_finished": 20},
        {"parent_status": S.RUNNING},
        {"parent_status": S.EXHAUSTED},
        {"is_growing": True},
        {"status": S.PAUSED},
        {"status": S.EXHAUSTED},
        {"status": S.SCOUTING},
        {"n_listed": 0, "n_finished": 0},
    ],
)
def test_a_task_does_not_end_early_when_something_speaks_against_it(changes: dict[str, Any]) -> None:
    assert not reaches_goal_early(replace(RUNNING, **changes))


@given(facts(), st.sampled_from([S.RUNNING, S.PENDING, S.MERGING]))
def test_what_ends_early_has_reached_its_goal_in_the_verdict_too(found: Facts, status: TaskStatus) -> None:
    if reaches_goal_early(replace(found, status=status)):
        assert verdict(found).rule not in ("goal_missed", "nothing_done", "no_input")


def test_children_of_what_no_retry_leaves_are_killed_those_of_failed_finish_and_others_look_again() -> None:
    fates = {status: fate_of_child(status) for status in (S.DONE, S.FINISHED, S.FAILED, S.BROKEN, S.ABORTED, S.EXHAUSTED)}
    assert fates == {S.DONE: "wake", S.FINISHED: "wake", S.FAILED: "finish", S.BROKEN: "kill", S.ABORTED: "kill", S.EXHAUSTED: "wake"}


def test_every_line_can_decide_and_the_last_one_always_holds() -> None:
    assert TABLE[-1].holds(PARTLY)
    assert len({(rule.name, rule.event) for rule in TABLE}) == len(TABLE)


def test_the_page_has_the_table_of_the_code() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "explanation" / "verdict.md").read_text()
    lines = re.findall(r"^\| `(\w+)` \| .* \| `(\w+)` \| `(\w+)` \|$", page, flags=re.M)
    statuses = [str(TASK.next_status(next(iter(TASK.sources(rule.event))), rule.event)) for rule in TABLE]
    assert lines == [(rule.name, str(rule.event), status) for rule, status in zip(TABLE, statuses, strict=True)]
