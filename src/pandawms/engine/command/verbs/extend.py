"""Extend: the task goes on with a changed document. What is listed stays as it was cut; what is not listed yet is cut as the new document says."""

from pandawms.domain.command import Verb
from pandawms.engine.command import changes
from pandawms.engine.command.plan import Decision
from pandawms.engine.command.round import WHO, Done, More, Round
from pandawms.engine.command.verbs.again import has_program, open_outputs
from pandawms.store import commands, events, tasks, transient, units


async def extend(given: Round, decision: Decision) -> Done | More:
    """Leaves the task toincexec, in a new round, with a new version of its document, its inputs to be listed again and its outputs open: define goes on."""
    assert decision.event is not None, "an extension moves its task"
    connection, task = given.connection, given.task
    document = changes.changed(Verb.EXTEND, task.document, given.arguments.get("changes") or {})
    if not await has_program(given, document):
        return Done("refused: its sandbox has expired and is deleted; submit the task again under another name")
    gone = await transient.removed(connection, task.task_id, {"input", "output"})
    if gone is not None:
        return Done(f"refused: {gone} was transient and is removed; submit the task again under another name")
    other = await commands.named_so(connection, task.task_id)
    if other is not None:
        return Done(f"refused: its name is that of task {other} now; fork it under another name")
    if await tasks.move(connection, task.task_id, decision.event, given.command.asker, given.why) is None:
        return Done("refused: the task went on to another status meanwhile")
    version = await commands.new_version(connection, task.task_id, document)
    known = await units.task_datasets(connection, [task.task_id])
    await commands.relist(connection, [tied.task_dataset_id for tied in known if tied.role in ("input", "pseudo_input")])
    await open_outputs(given)
    revived = await commands.revive_outputs(connection, task.task_id)
    if revived:
        await events.log_datasets(connection, revived, "thaw", "deleted", "mutable", WHO)
    await tasks.next_round(connection, task.task_id)
    return Done(f"extended: its document has version {version}; inputs are listed again", {"version": version})
