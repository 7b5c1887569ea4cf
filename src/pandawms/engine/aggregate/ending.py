"""Ends tasks: gives verdicts, keeps rounds, closes outputs, and lets children follow their parents."""

from collections.abc import Sequence
from typing import Any

from pandawms.domain.codes import Code
from pandawms.domain.command import Verb, accepted_in
from pandawms.domain.job import LEASED, QUEUED, SETTLING, JobEvent
from pandawms.domain.outcome import outcome
from pandawms.domain.stages import Stage
from pandawms.domain.task import TASK, TaskEvent, TaskStatus
from pandawms.engine.aggregate import builds, errors, plan, verdict
from pandawms.engine.aggregate.verdict import Facts, Goal
from pandawms.store import catalogue, commands, endings, events, leases, measures, reasons, retry_rules, tasks, units, wake
from pandawms.store.database import Connection
from pandawms.store.endings import ending
from pandawms.store.units import Progress
from pandawms.wire.document import TaskDocument
from pandawms.wire.document_view import primary

WHO = str(Stage.AGGREGATE)
JOBS_A_TIME = 1_000
"""Jobs that one transaction ends."""
MESSAGES = 1_000
"""Different messages of failures that a summary reads, the most frequent."""


async def judge(connection: Connection, task: tasks.Task, document: TaskDocument) -> None:
    """Gives a task its verdict when its input is settled; asks for a finish when its goal is reached before."""
    progress = await units.progress(connection, task.task_id)
    facts = await _facts(connection, task, document, progress)
    if not plan.is_settled(progress):
        if verdict.reaches_goal_early(facts):
            text = f"its goal of {facts.goal.percent:g} % is reached"
            await ask(connection, task, Verb.FINISH, {"reason": text, "soft": True, "is_automatic": True})
        return
    if await commands.is_pending(connection, task.task_id):
        return  # it may open units again: its answer touches the task
    if await retry_rules.has_unjudged(connection, task.task_id):
        return  # a failure that was reported since failures were judged: its own touch brings the task back
    if facts.parent_status is not None and not TASK.is_final(facts.parent_status):
        return
    if await tasks.move(connection, task.task_id, TaskEvent.PREPARE, WHO) is not None:
        await end(connection, task, document, TaskStatus.PREPARED)


async def finish(connection: Connection, task: tasks.Task, document: TaskDocument) -> None:
    """Gives a finishing task its verdict when none of its jobs is left. Its queued jobs were withdrawn by the command, which must be through with them."""
    if await commands.is_pending(connection, task.task_id) or (await units.progress(connection, task.task_id)).has_jobs:
        return
    await units.cancel_rest(connection, task.task_id)
    if await tasks.move(connection, task.task_id, TaskEvent.PASS, WHO, task.reason) is not None:
        await end(connection, task, document, TaskStatus.PASSED)


async def stop(connection: Connection, task: tasks.Task, document: TaskDocument) -> None:
    """Ends a task that is aborting, to be aborted or broken: cancels what jobs it has left, a thousand a time, and gives the verdict when none is left.

    There are some when a kill met jobs that were just made or that came to merging, and pilots are told of those that they took meanwhile. Ranges are held
    between jobs and what follows from their ends: who makes jobs holds them when it comes to the counters of the task.
    """
    if await commands.is_pending(connection, task.task_id):
        return
    left = await leases.lock_of_task(connection, task.task_id, QUEUED | SETTLING | LEASED, JOBS_A_TIME)
    await units.hold_ranges(connection, task.task_id)
    ended = outcome(Code.KILLED, "its task was killed" if task.status == TaskStatus.ABORTING else "its task is broken")
    await endings.end(connection, [ending(job, JobEvent.CANCEL, ended) for job in left if job.status not in LEASED], WHO)
    await leases.order_kill(connection, [job.job_id for job in left if job.status in LEASED], ended.message, None)
    if len(left) == JOBS_A_TIME:
        await tasks.touch(connection, [task.task_id])
    elif not (await units.progress(connection, task.task_id)).has_jobs:
        await units.cancel_rest(connection, task.task_id)
        await end(connection, task, document, TaskStatus(task.status))


async def end(connection: Connection, task: tasks.Task, document: TaskDocument, status: TaskStatus) -> None:
    """Gives a task without jobs, which is in `status`, what the table of verdicts says; keeps it, with its errors, as that of the round."""
    progress = await units.progress(connection, task.task_id)
    found = verdict.verdict(await _facts(connection, task, document, progress, status))
    numbers = found.numbers | ({"text": task.reason["text"]} if found.rule in ("broken", "aborted") and task.reason else {})
    no_build = await builds.failed_everywhere(connection, task, document) if document.build is not None and found.event != TaskEvent.COMPLETE else None
    if no_build is not None:
        numbers |= {"text": f"{numbers['text']}: {no_build}"}
    failed = await error_summary(connection, task.task_id)
    shown = numbers if found.event != TaskEvent.COMPLETE else {name: value for name, value in numbers.items() if name != "text"}
    final = await tasks.move(connection, task.task_id, found.event, WHO, shown)
    if final is None:
        return
    await tasks.add_round(connection, task.task_id, final, numbers | {"n_errors": failed.n, "errors": errors.as_kept(failed)})
    if TASK.is_final(final):
        await _close(connection, task.task_id, final)


async def error_summary(connection: Connection, task_id: int) -> errors.Summary:
    """Returns what went wrong with the jobs of a task, grouped."""
    found = await measures.failures(connection, task_id, MESSAGES)
    failed = [errors.Failed(f.domain, f.code, f.message, f.queue, f.n, f.first_at, f.last_at, tuple(f.job_ids)) for f in found]
    return errors.summary(failed, n_all=int(found[0].total) if found else 0)


async def follow_parent(connection: Connection, task: tasks.Task) -> bool:
    """Asks for the end of a task whose parent has ended so that nothing can come of it. True when that was asked, or is pending."""
    parent = await reasons.parent(connection, task.task_id) if task.parent_task_id is not None else None
    if parent is None or not TASK.is_final(TaskStatus(parent.status)):
        return False
    fate = verdict.fate_of_child(TaskStatus(parent.status))
    verb = Verb.KILL if fate == "kill" else Verb.FINISH
    if fate == "wake" or TaskStatus(task.status) not in accepted_in(verb):
        return False
    await ask(connection, task, verb, {"reason": f"task {parent.name} ({parent.task_id}), whose output it reads, is {parent.status}"})
    return True


async def ask(connection: Connection, task: tasks.Task, verb: Verb, arguments: dict[str, Any]) -> None:
    """Writes a command for a task, in the name of its owner, unless one is pending: then the task is looked at again when that is applied."""
    await commands.ask_many(connection, str(verb), [task.task_id], task.owner_id, arguments)
    await wake.stages(connection, Stage.COMMAND)


async def _facts(connection: Connection, task: tasks.Task, document: TaskDocument, progress: Progress, status: TaskStatus | None = None) -> Facts:
    parent = await reasons.parent(connection, task.task_id) if task.parent_task_id is not None else None
    goal = document.goal
    return Facts(
        status or TaskStatus(task.status), progress.n_listed, progress.n_finished, progress.n_failed, progress.n_events, progress.n_events_finished,
        parent_status=TaskStatus(parent.status) if parent else None, is_growing=not progress.is_complete,
        may_be_empty=primary(document)[1].may_be_empty, goal=Goal(goal.percent, goal.on_miss, goal.finish_early),
    )  # fmt: skip


async def _close(connection: Connection, task_id: int, final: TaskStatus) -> None:
    """Closes the outputs of a task that has ended and lets its children look."""
    await _log(connection, await catalogue.close_outputs(connection, task_id), "freeze", "mutable", "closed")
    if final in (TaskStatus.ABORTED, TaskStatus.BROKEN):
        await _log(connection, await catalogue.remove_empty_outputs(connection, task_id), "discard", "closed", "deleted")
    await tasks.touch(connection, [child for child, _ in await tasks.children(connection, task_id)])


async def _log(connection: Connection, dataset_ids: Sequence[int], event: str, before: str, after: str) -> None:
    if dataset_ids:
        await events.log_datasets(connection, dataset_ids, event, before, after, WHO)
