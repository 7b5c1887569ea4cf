"""Obsolete: the outputs of a task are void. Their datasets are taken out of the catalogue's names; what was read from them is void, too."""

from pandawms.domain.command import Verb
from pandawms.domain.task import TASK, TaskStatus
from pandawms.engine.command.plan import Decision
from pandawms.engine.command.round import WHO, Done, More, Round
from pandawms.store import commands, events, tasks


async def obsolete(given: Round, decision: Decision) -> Done | More:
    """Refused while a task that reads its outputs has not ended; those that have are asked in their turn, unless the command is for this task alone."""
    assert decision.event is not None, "obsolete moves its task"
    connection, task_id = given.connection, given.task.task_id
    children = await tasks.children(connection, task_id)
    busy = [child for child, status in children if not TASK.is_final(TaskStatus(status))]
    if busy:
        return Done(f"refused: task {busy[0]} reads its outputs and has not ended; end it first")
    if await tasks.move(connection, task_id, decision.event, given.command.asker, given.why) is None:
        return Done("refused: the task went on to another status meanwhile")
    await tasks.next_round(connection, task_id)
    await tasks.add_round(connection, task_id, TaskStatus.OBSOLETE, given.why)
    removed = await commands.remove_outputs(connection, task_id)
    if removed:
        await events.log_datasets(connection, removed, "delete", "closed", "deleted", WHO)
    also = [child for child, status in children if status in (TaskStatus.DONE, TaskStatus.FINISHED) and "sole" not in given.qualifiers]
    if also:
        await commands.ask_many(connection, str(Verb.OBSOLETE), also, given.command.asked_by, {"reason": f"task {task_id} is obsolete"})
    return Done(f"obsolete: {len(removed)} dataset{'s' * (len(removed) != 1)} removed", {"n_datasets": len(removed), "n_children": len(also)})
