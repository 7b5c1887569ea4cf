"""What the clock decides, for every status and every age."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from pandawms.domain.job import DWELL as OF_JOBS
from pandawms.domain.job import JOB, JobEvent, JobStatus
from pandawms.domain.machine import DAY
from pandawms.domain.task import INTERLUDES, TASK, TaskEvent, TaskStatus, return_point
from pandawms.engine.watch import limits
from pandawms.engine.watch.limits import NOTHING, for_task
from pandawms.store.leases import Held
from pandawms.store.timers import RestingTask

NOW = datetime(2030, 1, 1, tzinfo=UTC)
OPEN = [status for status in TaskStatus if not TASK.is_final(status)]
AGES = some.integers(0, 100 * DAY).map(lambda seconds: timedelta(seconds=seconds))


def resting(status: TaskStatus, age: timedelta, **changes: Any) -> RestingTask:
    """A task that has been in a status for so long."""
    given: dict[str, Any] = {
        "task_id": 1, "owner_id": 1, "status": str(status), "previous_status": "running", "reason": None, "created_at": NOW - timedelta(days=200),
        "changed_at": NOW - age, "pending_since": NOW - age, "expires_at": None, "has_jobs": False, "is_next": False, "is_commanded": False,
    }  # fmt: skip
    return RestingTask(**given | changes)


@given(some.sampled_from(OPEN), AGES, some.booleans(), some.booleans(), some.booleans(), some.sampled_from([None, {"code": "x", "text": "y"}]))
def test_what_follows_is_a_move_of_the_table_or_a_finish_or_a_reason(
    status: TaskStatus, age: timedelta, has_jobs: bool, is_next: bool, is_commanded: bool, reason: dict[str, Any] | None
) -> None:
    task = resting(status, age, has_jobs=has_jobs, is_next=is_next, is_commanded=is_commanded, reason=reason)
    step = for_task(task, NOW)
    if step.event is not None:
        assert (status, step.event) in TASK.transitions
        assert TASK.owners[step.event] == "watch"
    assert not is_commanded or (step.event is None and step.finish is None), "a command of it comes first"
    assert step.finish is None or status is TaskStatus.EXHAUSTED


@given(some.sampled_from(OPEN), some.booleans())
def test_nothing_stands_still_for_a_month_without_a_reason(status: TaskStatus, is_next: bool) -> None:
    step = for_task(resting(status, timedelta(days=31)), NOW)
    assert step != NOTHING
    if step.reason is not None and step.event is None:
        assert (step.reason["code"], step.reason["since"]) == (f"stuck.{status}", (NOW - timedelta(days=31)).isoformat())


@given(some.sampled_from(OPEN), AGES)
def test_a_reason_that_is_there_is_not_replaced(status: TaskStatus, age: timedelta) -> None:
    step = for_task(resting(status, age, reason={"code": "x", "text": "y"}), NOW)
    assert step.event is not None or step.finish is not None or step == NOTHING


@given(some.sampled_from([status for status in OPEN if status not in INTERLUDES]), some.integers(20, 10_000))
def test_a_pending_task_is_woken_to_its_return_point(previous: TaskStatus, minutes: int) -> None:
    task = resting(TaskStatus.PENDING, timedelta(minutes=minutes), previous_status=str(previous), has_jobs=True)
    step = for_task(task, NOW)
    assert step.event is not None
    assert TASK.transitions[TaskStatus.PENDING, step.event] == return_point(previous)


def test_a_pending_task_whose_jobs_are_under_way_is_never_given_up() -> None:
    week = timedelta(days=8)
    assert for_task(resting(TaskStatus.PENDING, week), NOW).event is TaskEvent.EXPIRE
    assert for_task(resting(TaskStatus.PENDING, week, has_jobs=True), NOW).event is TaskEvent.WAKE


@pytest.mark.parametrize("status", [status for status in OPEN if status not in (TaskStatus.FINISHING, TaskStatus.PASSED, TaskStatus.PREPARED)])
def test_a_deadline_ends_a_task_wherever_it_is(status: TaskStatus) -> None:
    step = for_task(resting(status, timedelta(seconds=1), expires_at=NOW), NOW)
    is_ending = status in (TaskStatus.ABORTING, TaskStatus.TOABORT, TaskStatus.TOBROKEN)
    assert (step.finish is None) == is_ending
    assert for_task(resting(status, timedelta(seconds=1), expires_at=NOW + timedelta(seconds=1)), NOW).finish is None


@pytest.mark.parametrize("status", list(OF_JOBS))
def test_every_limit_of_a_job_has_an_end_or_is_told(status: JobStatus) -> None:
    assert limits.JOB_SECONDS[str(status)] > 0
    held = Held(1, 1, str(status), 1, 1, "run")
    if status is JobStatus.MERGING:
        return
    ended = limits.timed_out(held, NOW)
    assert JOB.is_final(ended.status)
    assert ended.outcome.retryable, "it is tried again"
    assert (ended.event is JobEvent.EXPIRE) == (ended.status is JobStatus.CLOSED)
