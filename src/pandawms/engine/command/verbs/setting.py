"""Set, avalanche, release, approve: what changes how a task goes on, not what it does."""

from typing import Any

from pandawms.engine.command import plan as planning
from pandawms.engine.command.plan import Decision
from pandawms.engine.command.round import WHO, Done, More, Round, begun, sweep
from pandawms.store import brokerage, commands, tasks

PLACES = ("queues", "exclude_queues", "memory_mb", "wall_seconds")
"""What the broker and the generator look at: for units that have no job yet."""
NAMES = ("priority", "share", *PLACES)


async def set_values(given: Round, decision: Decision) -> Done | More:
    """First the task, for all jobs that are made from now on; then the jobs that wait (priority, share) and the units (attempts), in sets."""
    if not given.progress:
        return await _begin(given)
    if not decision.is_taken:
        return Done(f"{_answer(given)}; then the task ended", _result(given))
    if given.arguments.get("priority") is not None or given.progress.get("share_id") is not None:
        more = await sweep(given)
        if more is not None:
            return more
    if given.arguments.get("attempts"):
        raised = await _raise(given)
        if raised is not None:
            return raised
    await tasks.touch(given.connection, [given.task.task_id])
    return Done(_answer(given), _result(given))


def _result(given: Round) -> dict[str, Any]:
    return {**given.counts, "n_units": given.progress.get("n_units", 0)}


async def _begin(given: Round) -> Done | More:
    """Allocations go first, as they are locked before tasks: the broker looks again, with what was set."""
    connection, task = given.connection, given.task
    values = {name: given.arguments[name] for name in NAMES if given.arguments.get(name) is not None}
    share_id = await commands.share_id(connection, task.community_id, values["share"]) if "share" in values else None
    if "share" in values and share_id is None:
        return Done(f"refused: community {task.community} has no share {values['share']}")
    if values.keys() & set(PLACES):
        await brokerage.drop(connection, task.task_id)
    attempts = int(given.arguments.get("attempts") or 0)
    if attempts:
        values["more_attempts"] = int(task.ordered.get("more_attempts") or 0) + attempts
        await commands.raise_ranges(connection, task.task_id, attempts)
    await commands.set_task(connection, task.task_id, values, values.get("priority"), share_id)
    return begun(given, share_id=share_id, n_units=0, low=0)


async def _raise(given: Round) -> More | None:
    low, size = int(given.progress["low"]), given.services.options.units_per_round
    if low >= await commands.last_number(given.connection, given.task.task_id):
        return None
    raised = await commands.raise_attempts(given.connection, given.task.task_id, low, low + size, int(given.arguments["attempts"]))
    return More(dict(given.progress) | {"low": low + size, "n_units": int(given.progress["n_units"]) + raised})


def _answer(given: Round) -> str:
    what = [f"{name} = {_shown(given.arguments[name])}" for name in NAMES if given.arguments.get(name) is not None]
    if given.arguments.get("attempts"):
        what.append(f"{given.progress['n_units']:,} inputs may be tried {given.arguments['attempts']} times more")
    also = f"; {planning.told(given.counts)}" if given.counts else ""
    return f"set: {', '.join(what)}{also}"


def _shown(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


async def avalanche(given: Round, decision: Decision) -> Done | More:
    """The scouts are judged no more: all jobs are made."""
    return await _moved(given, decision, {"avalanche": True}, "scouting has ended; all jobs are made")


async def release(given: Round, decision: Decision) -> Done | More:
    """Lifts the hold of a workflow."""
    await commands.set_task(given.connection, given.task.task_id, {"released": True})
    await tasks.touch(given.connection, [given.task.task_id])
    return Done("released")


async def approve(given: Round, decision: Decision) -> Done | More:
    """Lets a task start that waits for somebody's word."""
    return await _moved(given, decision, {"approved": True}, "approved")


async def _moved(given: Round, decision: Decision, ordered: dict[str, Any], answer: str) -> Done:
    assert decision.event is not None, "these commands move their task"
    if await tasks.move(given.connection, given.task.task_id, decision.event, given.command.asker or WHO, given.why) is None:
        return Done("refused: the task went on to another status meanwhile")
    await commands.set_task(given.connection, given.task.task_id, ordered)
    await tasks.touch(given.connection, [given.task.task_id])
    return Done(answer)
