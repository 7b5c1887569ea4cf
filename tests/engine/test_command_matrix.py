"""Every command in every status, against the real database: what the table takes is applied and moves the task as the table says, all else is refused."""

from typing import Any

import pytest

from pandawms.domain.command import EVENTS, Verb, accepted_in
from pandawms.domain.task import TASK, TaskStatus
from pandawms.engine.command.step import step as command
from tests.engine.play import answer, ask, rows, value
from tests.world import World

AT_ONCE = {Verb.RETRY: "ready", Verb.REASSIGN: "reassigning"}
"""Where commands of more than one move leave their task."""
ARGUMENTS: dict[Verb, dict[str, Any]] = {
    Verb.SET: {"priority": 7},
    Verb.EXTEND: {"changes": {"inputs": {"events": {"count": 12}}}},
    Verb.RECOVER: {"reread": True},
}


async def _put(world: World, task_id: int, status: TaskStatus) -> None:
    """Puts a task into a status, whatever was before."""
    await rows(
        world, "UPDATE task SET status = $2, ended_at = CASE WHEN $3 THEN now() END, previous_status = 'running' WHERE task_id = $1",
        task_id, str(status), status in TASK.final,
    )  # fmt: skip


@pytest.mark.parametrize("verb", [verb for verb in Verb if verb is not Verb.FORK])
async def test_a_command_is_applied_where_the_table_takes_it_and_refused_elsewhere(world: World, verb: Verb) -> None:
    task_id = await world.submit()
    for status in TaskStatus:
        await _put(world, task_id, status)
        command_id = await ask(world, str(verb), task_id=task_id, **ARGUMENTS.get(verb, {}))
        while await command(world.pool, world.services):
            pass
        words, after = await answer(world, command_id), await world.status(task_id)
        if status not in accepted_in(verb):
            assert words == f"refused: A task in status {status} does not take {verb}.", status
            assert after == status
            continue
        assert not words.startswith(("refused", "failed")), f"{status}: {words}"
        if verb is Verb.RECOVER:  # nothing is lost here, so nothing opens; test_extend_fork_recover.py has the rest
            assert after == status
            continue
        targets = {str(TASK.transitions[status, event]) for event in EVENTS[verb] if (status, event) in TASK.transitions}
        assert after in ({AT_ONCE[verb]} if verb in AT_ONCE else targets or {str(status)}), status
    assert await value(world, "SELECT count(*) FROM command WHERE applied_at IS NULL") == 0
