"""Retry: what was not processed is open again, ten thousand units a round; then a new round of the task begins, and its children are asked in their turn."""

from typing import Any

from pandawms.domain.command import Verb
from pandawms.domain.file import FileStatus
from pandawms.domain.task import TaskEvent, TaskStatus
from pandawms.engine.command import cascade, changes
from pandawms.engine.command import plan as planning
from pandawms.engine.command.plan import Decision
from pandawms.engine.command.round import WHO, Done, More, Round
from pandawms.store import builds, catalogue, commands, events, places, tasks, units


async def retry(given: Round, decision: Decision) -> Done | More:
    """The task is toretry while its units are opened; nobody takes one of them before it is ready."""
    task, statuses = given.task, planning.reopened(given.arguments.get("only", ()))
    if not given.progress:
        return await _begin(given)
    more = int(given.arguments.get("attempts") or given.services.options.retry_more_attempts)
    opened = await commands.reopen_units(given.connection, task.task_id, statuses, more, given.services.options.units_per_round)
    n_units = int(given.progress["n_units"]) + opened
    if opened:
        return More({"is_begun": True, "n_units": n_units})
    if FileStatus.CANCELLED in statuses:
        n_units += await units.reopen_failed(given.connection, task.task_id, more)
    return await _end(given, n_units)


async def _begin(given: Round) -> Done | More:
    """New parameters are a new version of the document, for the jobs that are made from now on; priority and share are the document's again, unless kept."""
    connection, task = given.connection, given.task
    document = changes.changed(Verb.RETRY, task.document, given.arguments.get("changes") or {})
    if not await has_program(given, document):
        return Done("refused: its sandbox has expired and is deleted; submit the task again under another name")
    if await tasks.move(connection, task.task_id, TaskEvent.RETRY, given.command.asker, given.why) is None:
        return Done("refused: the task went on to another status meanwhile")
    if document != task.document:
        await commands.new_version(connection, task.task_id, document)
    await _set(given, document)
    return More({"is_begun": True, "n_units": 0})


async def _set(given: Round, document: dict[str, Any]) -> None:
    connection, task = given.connection, given.task
    ordered: dict[str, Any] = {"transcend": True if "transcend" in given.qualifiers else None}
    if "keep" in given.qualifiers:
        await commands.set_task(connection, task.task_id, ordered)
        return
    share_id = await places.default_share(connection, task.community_id) if "share" in task.ordered else None
    await commands.set_task(connection, task.task_id, ordered | {"priority": None, "share": None}, int(document.get("priority", task.priority)), share_id)


async def has_program(given: Round, document: dict[str, Any]) -> bool:
    """Whether the program that a document names is still there."""
    program = document.get("program")
    digest = program.get("sandbox") if isinstance(program, dict) else None
    return digest is None or await catalogue.is_owned(given.connection, bytes.fromhex(digest))


async def _end(given: Round, n_units: int) -> Done:
    connection, task = given.connection, given.task
    await units.reuse_input(connection, task.task_id)
    await builds.forgive(connection, task.task_id)
    await open_outputs(given)
    await tasks.next_round(connection, task.task_id)
    await tasks.move(connection, task.task_id, TaskEvent.REOPEN, WHO)
    await tasks.touch(connection, [task.task_id])
    n_children, others = (0, []) if "sole" in given.qualifiers else await _retry_children(given)
    words = f"retried: {n_units:,} input{'s are' if n_units != 1 else ' is'} open again"
    also = f"; {n_children} task{'s' * (n_children != 1)} that read{'s' * (n_children == 1)} its outputs asked, too" if n_children else ""
    return Done(words + also + cascade.left_out(others), {"n_units": n_units, "n_children": n_children, "n_left_out": len(others)})


async def open_outputs(given: Round) -> None:
    """Lets the outputs of a task be written to again."""
    reopened = await catalogue.reopen_outputs(given.connection, given.task.task_id)
    if reopened:
        await events.log_datasets(given.connection, reopened, "thaw", "closed", "mutable", WHO)


async def _retry_children(given: Round) -> tuple[int, list[int]]:
    """Children that ended without all they could have are retried, with the same words, as far as whoever asked may; of all the input may grow again.

    Returns how many were asked, and those that belong to others.
    """
    connection, task = given.connection, given.task
    children = await tasks.offspring(connection, task.task_id)
    for child in children:
        await units.reuse_input(connection, child.task_id)
    allowed, others = cascade.sort(given, [child for child in children if child.status in (TaskStatus.FINISHED, TaskStatus.FAILED)])
    arguments: dict[str, Any] = {"reason": f"task {task.task_id} retried"} | dict.fromkeys(given.qualifiers, True) | cascade.handed_on(given)
    asked = await commands.ask_many(connection, str(Verb.RETRY), allowed, given.command.asked_by, arguments) if allowed else {}
    return len(asked), others
