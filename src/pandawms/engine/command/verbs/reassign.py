"""Reassign: the task may only go elsewhere, and its jobs are withdrawn, a thousand a round; the broker then chooses anew."""

from pandawms.domain.task import TaskEvent
from pandawms.engine.command import plan as planning
from pandawms.engine.command.plan import Decision
from pandawms.engine.command.round import WHO, Done, More, Round, begun, sweep
from pandawms.store import brokerage, commands, places, tasks


async def reassign(given: Round, decision: Decision) -> Done | More:
    """Inputs of withdrawn jobs are open again, and the attempt does not count. Without queue and site it may go anywhere again."""
    connection, task = given.connection, given.task
    if not given.progress:
        assert decision.event is not None, "a reassign moves its task"
        queues = await _queues(given)
        if queues is not None and not queues:
            return Done(f"refused: site {given.arguments['site']} has no queue")
        await brokerage.drop(connection, task.task_id)
        if await tasks.move(connection, task.task_id, decision.event, given.command.asker, given.why) is None:
            return Done("refused: the task went on to another status meanwhile")
        await commands.set_task(connection, task.task_id, {"queues": queues})
        return begun(given)
    more = await sweep(given)
    if more is not None:
        return more
    await tasks.move(connection, task.task_id, TaskEvent.WITHDRAW, WHO, given.why)
    await tasks.touch(connection, [task.task_id])
    return Done(f"reassigned: {planning.told(given.counts)}", given.counts)


async def _queues(given: Round) -> list[str] | None:
    """Returns the queues that are left to the task: those named, or those of the site; None for any."""
    site = given.arguments.get("site")
    if site is None:
        return list(given.arguments.get("queues") or ()) or None
    return [queue.name for queue in await places.queues(given.connection) if queue.site == site]
