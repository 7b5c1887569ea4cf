"""The task's own rules: its way through the flow, and where it goes on after a wait."""

from __future__ import annotations

import pytest

from pandawms.domain.errors import Conflict
from pandawms.domain.task import INTERLUDES, TASK, TaskEvent, TaskStatus, resume_event, return_point, wake_event


def walk(start: TaskEvent, *events: TaskEvent) -> TaskStatus:
    status = TASK.initial[start]
    for event in events:
        status = TASK.next_status(status, event)
    return status


@pytest.mark.parametrize(
    ("events", "end"),
    [
        ("refine list_inputs start prepare complete", "done"),
        ("refine list_inputs start_scouts judge_scouts start prepare complete_partly", "finished"),
        ("refine list_inputs start prepare fail retry reopen start prepare complete", "done"),
        ("refine list_inputs start kill abort", "aborted"),
        ("refine reject break", "broken"),
        ("wait wake_refining refine list_inputs start finish pass complete_partly", "finished"),
    ],
)
def test_a_task_takes_the_way_that_the_flow_describes(events: str, end: str) -> None:
    assert walk(TaskEvent.SUBMIT, *(TaskEvent(word) for word in events.split())) == end


def test_a_broken_task_never_takes_a_retry() -> None:
    with pytest.raises(Conflict):
        TASK.next_status(TaskStatus.BROKEN, TaskEvent.RETRY)


@pytest.mark.parametrize("previous", sorted(TASK.sources(TaskEvent.PAUSE) - INTERLUDES))
def test_a_resume_leads_to_the_return_point_of_what_was_paused(previous: TaskStatus) -> None:
    assert TASK.next_status(TaskStatus.PAUSED, resume_event(previous)) is return_point(previous)


@pytest.mark.parametrize("previous", sorted(status for status in TaskStatus if (status, TaskEvent.WAIT) in TASK.transitions))
def test_a_wait_ends_where_the_work_was_not_done(previous: TaskStatus) -> None:
    assert TASK.next_status(TaskStatus.PENDING, wake_event(previous)) is return_point(previous)


def test_a_postponed_task_goes_on_from_ready() -> None:
    assert wake_event(TaskStatus.RUNNING) is TaskEvent.WAKE
    assert wake_event(TaskStatus.ASSIGNING) is TaskEvent.WAKE_LISTING
