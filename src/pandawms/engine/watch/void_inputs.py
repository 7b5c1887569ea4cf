"""Finds tasks with inputs that are lost for good, of which no recovery told them: they had ended then and were retried, or had another command for long.
They are asked to look again: what they cannot read leaves them."""

from pandawms.domain.command import Verb, accepted_in
from pandawms.domain.task import TASK, TaskStatus
from pandawms.engine.services import Services
from pandawms.store import commands, timers
from pandawms.store.database import Pool

LOOK_SECONDS = 60.0
ASKED = accepted_in(Verb.RECOVER) - TASK.final - {TaskStatus.PAUSED, TaskStatus.THROTTLED}
"""Where a task can look again. One that stands still is asked when it goes on, one that has ended when it is retried."""


async def step(pool: Pool, services: Services) -> int:
    """Looks once a minute; returns how many tasks were asked. One with a command under way is asked in a later look."""
    now = services.clock()
    async with pool.acquire() as connection, connection.transaction():
        mark = await timers.take_mark(connection, "void_inputs")
        if mark is None or (now - mark.looked_at).total_seconds() < LOOK_SECONDS:
            return 0
        await timers.set_mark(connection, "void_inputs", 0, now)
        readers = await timers.void_readers(connection, ASKED)
        n_asked = 0
        for owner in sorted({reader.owner_id for reader in readers}):
            task_ids = [reader.task_id for reader in readers if reader.owner_id == owner]
            arguments = {"reread": True, "reason": "some of its inputs were lost"}
            n_asked += len(await commands.ask_many(connection, str(Verb.RECOVER), task_ids, owner, arguments))
        return n_asked
