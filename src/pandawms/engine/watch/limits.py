"""Decides what follows when a job or a task has been in one status for too long: the tables of the domain (DWELL), in sets. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pandawms.domain.codes import Code
from pandawms.domain.job import DWELL as OF_JOBS
from pandawms.domain.job import JobEvent, JobStatus
from pandawms.domain.machine import HOUR, MINUTE
from pandawms.domain.outcome import outcome
from pandawms.domain.queue import PERMITS
from pandawms.domain.task import DWELL as OF_TASKS
from pandawms.domain.task import TaskEvent, TaskStatus, wake_event
from pandawms.store.endings import Ending, ending
from pandawms.store.leases import Held
from pandawms.store.timers import OverdueJob, RestingTask

WAKE_SECONDS = 20 * MINUTE
"""After so long a pending task looks for queues or inputs again (PanDA's, for analysis)."""
UNMERGED_SECONDS = 2 * HOUR
"""An output may wait for a merge so long before its task says that it does; it has no limit."""
UNEXPLAINED_SECONDS = HOUR
"""A status without a limit of its own needs a reason after so long."""

JOB_SECONDS: Mapping[str, float] = {str(s): float(d.seconds if d.seconds is not None else UNMERGED_SECONDS) for s, d in OF_JOBS.items()}
"""The limit of each status of a job."""
TIMEOUT_QUEUES = sorted(str(status) for status, permits in PERMITS.items() if permits.timeouts)
"""Queues in these statuses let their jobs' time run."""

CODES: Mapping[JobStatus, Code] = {
    JobStatus.SENT: Code.NO_FIRST_HEARTBEAT, JobStatus.HOLDING: Code.HELD_TOO_LONG, JobStatus.TRANSFERRING: Code.TRANSFER_TIMEOUT,
}  # fmt: skip
"""As what a job ends that was too long in a status: else EXPIRED where nobody had it, OTHER_TIMEOUT where a pilot has."""


def is_ended(job: OverdueJob) -> bool:
    """Whether the limit ends the job, and is not only told."""
    return OF_JOBS[JobStatus(job.status)].ends_by is not None


def timed_out(job: Held, since: datetime) -> Ending:
    """How a job ends whose status has lasted too long."""
    status = JobStatus(job.status)
    event = OF_JOBS[status].ends_by
    assert isinstance(event, JobEvent), "only statuses with an end are ended"
    code = CODES.get(status, Code.EXPIRED if event is JobEvent.EXPIRE else Code.OTHER_TIMEOUT)
    return ending(job, event, outcome(code, f"{code.meaning}: {status} since {since:%Y-%m-%d %H:%M} UTC"))


@dataclass(frozen=True, slots=True)
class Step:
    """What follows for a task: an event, a finish to be asked for, or a reason to be kept (with `is_cleared` one to be taken away)."""

    event: TaskEvent | None = None
    finish: str | None = None
    reason: dict[str, Any] | None = None
    is_cleared: bool = False


NOTHING = Step()


def task_seconds() -> dict[str, float]:
    """Returns after how long in each status a task is looked at."""
    found = {str(status): float(min(dwell.seconds or UNEXPLAINED_SECONDS, UNEXPLAINED_SECONDS)) for status, dwell in OF_TASKS.items()}
    return found | {str(TaskStatus.PENDING): float(WAKE_SECONDS)}


def for_task(task: RestingTask, now: datetime, task_days: float = 0.0) -> Step:
    """Returns what follows for a task that has been in its status since `changed_at`: its deadline, its limit, a wake, or a reason that it lacks."""
    if not task.is_commanded:
        finish = _deadline(task, now, task_days) or _limit(task, now)
        if finish is not None:
            return finish
    return _stuck(task, now)


def _deadline(task: RestingTask, now: datetime, task_days: float) -> Step | None:
    if task.status in (TaskStatus.FINISHING, TaskStatus.PASSED, TaskStatus.PREPARED, TaskStatus.ABORTING, TaskStatus.TOABORT, TaskStatus.TOBROKEN):
        return None
    if task.expires_at is not None and now >= task.expires_at:
        return Step(finish=f"its deadline has come: {task.expires_at:%Y-%m-%d %H:%M} UTC")
    if task_days and now - task.created_at >= timedelta(days=task_days):
        return Step(finish=f"it is older than {task_days:g} days")
    return None


def _limit(task: RestingTask, now: datetime) -> Step | None:
    status = TaskStatus(task.status)
    dwell = OF_TASKS[status]
    since = task.pending_since if status is TaskStatus.PENDING and task.pending_since is not None else task.changed_at
    is_over = dwell.seconds is not None and (now - since).total_seconds() >= dwell.seconds
    if status is TaskStatus.PENDING:
        if is_over and not task.has_jobs:
            return Step(event=TaskEvent.EXPIRE, reason=_reason("task.expired", f"it waited since {since:%Y-%m-%d %H:%M} UTC: {_text(task)}", since))
        if (now - task.changed_at).total_seconds() >= WAKE_SECONDS:
            return Step(event=wake_event(TaskStatus(task.previous_status or TaskStatus.READY)), reason=task.reason)
    if is_over and dwell.ends_by is TaskEvent.AUTO_FINISH:
        return Step(finish=f"nobody decided about it since {since:%Y-%m-%d %H:%M} UTC")
    if is_over and dwell.ends_by is TaskEvent.UNTHROTTLE:
        return Step(event=TaskEvent.UNTHROTTLE, reason=_reason("task.unthrottled", "the time of its throttle is over", since))
    return None


def _stuck(task: RestingTask, now: datetime) -> Step:
    """A status without end needs a reason. What its jobs hold is explained by them; a reason that no longer holds goes."""
    reason = task.reason or {}
    status, code = TaskStatus(task.status), reason.get("code") or reason.get("rule")  # a line of the table of verdicts says it, too
    lives_by_jobs = OF_TASKS[status].seconds is None and status not in PERSONS
    if code == f"stuck.{status}" and lives_by_jobs and task.has_jobs:
        return Step(is_cleared=True)
    if code is not None or (lives_by_jobs and (task.has_jobs or task.is_next)) or (now - task.changed_at).total_seconds() < UNEXPLAINED_SECONDS:
        return NOTHING
    text = f"{status} since {task.changed_at:%Y-%m-%d %H:%M} UTC"
    text += ": it waits for somebody's word" if status in PERSONS else ", and none of its jobs is under way" if lives_by_jobs else ", which no stage has ended"
    said = _text(task)
    return Step(reason=_reason(f"stuck.{status}", f"{text} ({said})" if said else text, task.changed_at))


PERSONS = frozenset({TaskStatus.WAITING, TaskStatus.PAUSED, TaskStatus.STAGING, TaskStatus.EXHAUSTED})
"""Statuses that somebody, or the tape system, ends."""


def unmerged(task_id: int, n: int, since: datetime) -> dict[str, Any]:
    """The reason of a task whose outputs wait for a merge for too long."""
    return _reason("stuck.merging", f"the outputs of {n} job{'s' * (n != 1)} have waited for a merge job since {since:%Y-%m-%d %H:%M} UTC", since)


def _reason(code: str, text: str, since: datetime) -> dict[str, Any]:
    return {"code": code, "text": text, "since": since.isoformat()}


def _text(task: RestingTask) -> str:
    return str((task.reason or {}).get("text") or "")
