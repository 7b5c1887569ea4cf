"""Kill and finish: the task takes no more jobs from the first round on; then its jobs are ended, a thousand a round."""

from pandawms.domain.command import Verb
from pandawms.domain.stages import Stage
from pandawms.domain.task import TaskEvent
from pandawms.engine.command import plan as planning
from pandawms.engine.command.plan import Decision
from pandawms.engine.command.round import Done, More, Round, begun, sweep
from pandawms.store import brokerage, merges, tasks


async def kill(given: Round, decision: Decision) -> Done | More:
    """Allocations and groups without a job go first, as generate takes them first; then the task, which generate looks at last; then the jobs."""
    if not given.progress:
        await brokerage.drop(given.connection, given.task.task_id)
        await merges.fail_open_groups(given.connection, given.task.task_id)
        return await _begin(given, decision, given.why)
    return await sweep(given) or await _ended(given)


async def finish(given: Round, decision: Decision) -> Done | More:
    """As a kill, but what has run is kept: jobs that wait for their merge go on. Soft: those that run, too. Aggregate gives the verdict when all have ended."""
    if not given.progress:
        await brokerage.drop(given.connection, given.task.task_id)
        return await _begin(given, decision, {**given.why, "is_soft": "soft" in given.qualifiers})
    return await sweep(given) or await _ended(given)


async def _begin(given: Round, decision: Decision, why: dict[str, object]) -> Done | More:
    assert decision.event is not None, "a kill or finish moves its task"
    who = str(Stage.WATCH) if decision.event is TaskEvent.AUTO_FINISH else given.command.asker
    if await tasks.move(given.connection, given.task.task_id, decision.event, who, why) is None:
        return Done("refused: the task went on to another status meanwhile")
    return begun(given)


async def _ended(given: Round) -> Done:
    await tasks.touch(given.connection, [given.task.task_id])
    word = "killed" if given.verb is Verb.KILL else "finishing"
    return Done(f"{word}: {planning.told(given.counts)}", given.counts)
