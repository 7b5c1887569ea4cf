"""Obsolete: the outputs of a task are void. Their datasets are taken out of the catalogue's names; what was read from them is void, too."""

from typing import Any

from pandawms.domain.command import Verb
from pandawms.domain.task import TASK, TaskStatus
from pandawms.engine.command import cascade
from pandawms.engine.command.plan import Decision
from pandawms.engine.command.round import WHO, Done, More, Round
from pandawms.store import commands, events, tasks


async def obsolete(given: Round, decision: Decision) -> Done | More:
    """Refused while a task that reads its outputs has not ended, as far as whoever asked may end it; those that have ended are asked in their turn, with
    the same limit. None is when the command is for this task alone.

    Tasks of others neither stand in the way nor are touched: what is wrong is said to be wrong, and they are named. Their inputs are listed by file, so
    they go on.
    """
    assert decision.event is not None, "obsolete moves its task"
    connection, task_id = given.connection, given.task.task_id
    children = await tasks.offspring(connection, task_id)
    busy, reading = cascade.sort(given, [child for child in children if not TASK.is_final(TaskStatus(child.status))])
    if busy:
        return Done(f"refused: task {busy[0]} reads its outputs and has not ended; end it first")
    if await tasks.move(connection, task_id, decision.event, given.command.asker, given.why) is None:
        return Done("refused: the task went on to another status meanwhile")
    await tasks.next_round(connection, task_id)
    await tasks.add_round(connection, task_id, TaskStatus.OBSOLETE, given.why)
    removed = await commands.remove_outputs(connection, task_id)
    if removed:
        await events.log_datasets(connection, removed, "delete", "closed", "deleted", WHO)
    made = [child for child in children if child.status in (TaskStatus.DONE, TaskStatus.FINISHED) and "sole" not in given.qualifiers]
    also, others = cascade.sort(given, made)
    if also:
        arguments: dict[str, Any] = {"reason": f"task {task_id} is obsolete"} | cascade.handed_on(given)
        await commands.ask_many(connection, str(Verb.OBSOLETE), also, given.command.asked_by, arguments)
    words = f"obsolete: {len(removed)} dataset{'s' * (len(removed) != 1)} removed{cascade.left_out(others)}"
    if reading:
        words += f"; still read by others: {cascade.named(reading)}"
    return Done(words, {"n_datasets": len(removed), "n_children": len(also), "n_left_out": len(others), "n_reading": len(reading)})
