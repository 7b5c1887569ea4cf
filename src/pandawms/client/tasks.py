"""Tasks: submit, plan, list, follow, wait, command."""

from __future__ import annotations

import time
from collections.abc import Callable

from pandawms.client.attempts import RetryPolicy
from pandawms.client.calls import Call, get, segment, send
from pandawms.client.resource import Items, Resource, Runner, endpoint, paged, scripted, streamed
from pandawms.client.script import Emit, Pause, Script
from pandawms.domain.errors import Unavailable
from pandawms.wire.command import BulkAnswer, BulkCommand, CommandState, ForkRequest, RetryCommand, TaskCommand
from pandawms.wire.document import TaskDocument
from pandawms.wire.event import ChangeEvent
from pandawms.wire.job import JobSummary
from pandawms.wire.measure import TaskErrors
from pandawms.wire.page import MAX_PAGE_SIZE, Page
from pandawms.wire.task import (
    CommandAnswer,
    Plan,
    SubmitAnswer,
    TaskDetail,
    TaskInputUnit,
    TaskOutput,
    TaskSummary,
)
from pandawms.wire.why import Why

TaskRef = int | str
"""A task by its id, or by its name (then the caller's own)."""

FINAL = frozenset({"done", "finished", "failed", "aborted", "broken", "exhausted", "obsolete"})
"""Statuses in which a task stays until somebody asks for more (a retry); `exhausted` waits for a person."""


def is_over(task: TaskSummary) -> bool:
    """Whether the task has come to its end."""
    return task.status in FINAL


def submit_call(document: TaskDocument, *, idempotency_key: str | None = None) -> Call[SubmitAnswer]:
    """Submits a document whose files were packed and uploaded already (see `prepare`)."""
    call = send("POST", SubmitAnswer, "/tasks", document)
    return call if idempotency_key is None else call.with_header("Idempotency-Key", idempotency_key)


def _plan(document: TaskDocument) -> Call[Plan]:
    """What a submission would make, without making it."""
    return send("POST", Plan, "/tasks/plan", document)


def _get(task: TaskRef) -> Call[TaskDetail]:
    """Everything about one task."""
    return get(TaskDetail, f"/tasks/{segment(task)}")


def _page(
    *,
    status: str | tuple[str, ...] | None = None,
    name: str | None = None,
    owner: str | None = None,
    stuck: bool | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Call[Page[TaskSummary]]:
    """One page of tasks, newest first; `stuck`: only those that stand still for longer than they may, or only the others."""
    query = {"status": status, "name": name, "owner": owner, "stuck": stuck, "limit": limit, "cursor": cursor}
    return get(Page[TaskSummary], "/tasks", query)


def _files(task: TaskRef, *, status: str | None = None, limit: int = MAX_PAGE_SIZE) -> Call[Page[TaskInputUnit]]:
    """The input units of a task."""
    return get(Page[TaskInputUnit], f"/tasks/{segment(task)}/files", {"status": status, "limit": limit})


def _jobs(task: TaskRef, *, status: str | None = None, limit: int = MAX_PAGE_SIZE) -> Call[Page[JobSummary]]:
    """The jobs of a task, ended ones included."""
    return get(Page[JobSummary], f"/tasks/{segment(task)}/jobs", {"status": status, "limit": limit})


def _events(task: TaskRef, *, limit: int = MAX_PAGE_SIZE) -> Call[Page[ChangeEvent]]:
    """The history of a task."""
    return get(Page[ChangeEvent], f"/tasks/{segment(task)}/events", {"limit": limit})


def _outputs(task: TaskRef) -> Call[Page[TaskOutput]]:
    """The output datasets of a task."""
    return get(Page[TaskOutput], f"/tasks/{segment(task)}/outputs")


def _why(task: TaskRef) -> Call[Why]:
    """Why the task is as it is."""
    return get(Why, f"/tasks/{segment(task)}/why")


def _errors(task: TaskRef) -> Call[TaskErrors]:
    """What went wrong with the jobs of a task, grouped."""
    return get(TaskErrors, f"/tasks/{segment(task)}/errors")


def _command(task: TaskRef, verb: str, body: TaskCommand | None = None) -> Call[CommandAnswer]:
    """Gives a task a command: its verb, and its body (see `wire.command`)."""
    return send("POST", CommandAnswer, f"/tasks/{segment(task)}/{verb}", body or TaskCommand())


def _kill(task: TaskRef, reason: str = "") -> Call[CommandAnswer]:
    """Ends a task and all its jobs."""
    return _command(task, "kill", TaskCommand(reason=reason))


def _retry(task: TaskRef, reason: str = "") -> Call[CommandAnswer]:
    """Tries the inputs that were not processed of a task that has ended once more."""
    return _command(task, "retry", RetryCommand(reason=reason))


def _fork(task: TaskRef, body: ForkRequest, *, idempotency_key: str | None = None) -> Call[SubmitAnswer]:
    """Makes a copy of a task that shares what is finished."""
    call = send("POST", SubmitAnswer, f"/tasks/{segment(task)}/fork", body)
    return call if idempotency_key is None else call.with_header("Idempotency-Key", idempotency_key)


def _command_many(body: BulkCommand) -> Call[BulkAnswer]:
    """Gives one command to many tasks, or says how many would take it."""
    return send("POST", BulkAnswer, "/tasks/commands", body)


def _applied(command_id: int) -> Call[CommandState]:
    """What came of a command, or how far it is."""
    return get(CommandState, f"/commands/{command_id}")


def _withdraw(task: TaskRef, command_id: int) -> Call[CommandState]:
    """Takes back this command of a task (see `pending`), as long as nothing of it is done; asked again it says so again."""
    return send("DELETE", CommandState, f"/tasks/{segment(task)}/command", query={"command_id": command_id})


def _commands(task: TaskRef, *, limit: int = MAX_PAGE_SIZE) -> Call[Page[CommandState]]:
    """The newest commands of a task."""
    return get(Page[CommandState], f"/tasks/{segment(task)}/commands", {"limit": limit})


def _wait(
    policy: RetryPolicy,
    task: TaskRef,
    *,
    until: Callable[[TaskSummary], bool] = is_over,
    timeout_seconds: float | None = None,
    poll_seconds: float = 1.0,
) -> Script[TaskDetail]:
    """Asks until the task is as wanted (at its end unless told otherwise) and gives it back.

    Raises Unavailable with code wait_timeout when that takes longer than `timeout_seconds`.
    """
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    while True:
        detail = yield from _get(task).script(policy)
        if until(detail):
            return detail
        if deadline is not None and time.monotonic() + poll_seconds > deadline:
            raise Unavailable(
                f"task {detail.name} is still {detail.status} after {timeout_seconds:g} s",
                code="wait_timeout",
                hint=f"`panda why {detail.task_id}` says what it waits for",
            )
        yield Pause(poll_seconds)


def _watch(policy: RetryPolicy, task: TaskRef, *, poll_seconds: float = 1.0) -> Items[TaskDetail]:
    """The task again and again, at once whenever it differs from before, until its end."""
    return Items(_watched(policy, task, poll_seconds))


def _watched(policy: RetryPolicy, task: TaskRef, poll_seconds: float) -> Script[None]:
    last: TaskDetail | None = None
    while last is None or not is_over(last):
        if last is not None:
            yield Pause(poll_seconds)
        detail = yield from _get(task).script(policy)
        if detail != last:
            yield Emit(detail)
        last = detail


def _pending(policy: RetryPolicy, task: TaskRef) -> Script[CommandState | None]:
    """The command of a task that is not applied yet; there is one at most, and it is the newest."""
    page = yield from _commands(task, limit=1).script(policy)
    return next((each for each in page.items if each.applied_at is None), None)


class Tasks(Resource[Runner]):
    """The tasks of the API."""

    submit = endpoint(submit_call)
    plan = endpoint(_plan)
    get = endpoint(_get)
    page = endpoint(_page)
    list = paged(_page)
    files = paged(_files)
    jobs = paged(_jobs)
    events = paged(_events)
    outputs = paged(_outputs)
    why = endpoint(_why)
    errors = endpoint(_errors)
    command = endpoint(_command)
    kill = endpoint(_kill)
    retry = endpoint(_retry)
    fork = endpoint(_fork)
    command_many = endpoint(_command_many)
    applied = endpoint(_applied)
    withdraw = endpoint(_withdraw)
    pending = scripted(_pending)
    commands = paged(_commands)
    wait = scripted(_wait)
    watch = streamed(_watch)
