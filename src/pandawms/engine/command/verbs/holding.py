"""Pause and resume: ready jobs are held, and let go, a thousand a round; what pilots have goes on."""

from pandawms.engine.command import plan as planning
from pandawms.engine.command.plan import Decision
from pandawms.engine.command.round import Done, More, Round, begun, sweep
from pandawms.store import brokerage, tasks


async def pause(given: Round, decision: Decision) -> Done | More:
    """The task takes no more jobs from the first round on; jobs that place activates later are held by place."""
    if not given.progress:
        await brokerage.drop(given.connection, given.task.task_id)
        return await _begin(given, decision)
    return await sweep(given) or Done(f"paused: {planning.told(given.counts)}", given.counts)


async def resume(given: Round, decision: Decision) -> Done | More:
    """The task goes on where it was interrupted, and what waited for judgement meanwhile is looked at."""
    if not given.progress:
        return await _begin(given, decision)
    more = await sweep(given)
    if more is not None:
        return more
    await tasks.touch(given.connection, [given.task.task_id])
    return Done(f"resumed: {planning.told(given.counts)}", given.counts)


async def _begin(given: Round, decision: Decision) -> Done | More:
    assert decision.event is not None, "pause and resume move their task"
    if await tasks.move(given.connection, given.task.task_id, decision.event, given.command.asker, given.why) is None:
        return Done("refused: the task went on to another status meanwhile")
    return begun(given)
