"""Forking a task: a copy under a new name, with changes, that shares what is finished in the original.

What is shared: each input unit that the original has finished is finished in the copy, too, and names the unit that it stands for; the output files of the
jobs that processed them (merged ones where outputs were merged) are in the copy's output datasets as well, under the names that they have, in the same
storage: no byte is copied. What is not finished when the fork is made is open in the copy, cut into the same units, whatever the original does with it later.
Define then lists only what is no unit yet.

Like `submission`, a place beside the loop that knows a stage.
"""

from typing import Any

from pandawms.domain.errors import Conflict
from pandawms.domain.identity import Who
from pandawms.engine import submission
from pandawms.engine.define.submit import Submitted
from pandawms.engine.services import Services
from pandawms.store import forks, tasks, transient, units
from pandawms.store.database import Connection
from pandawms.store.tasks import Task
from pandawms.wire.checks import decode_document


async def fork(connection: Connection, services: Services, who: Who, original: Task, document: dict[str, Any]) -> Submitted:
    """Makes the copy, whole or not at all; the caller owns the transaction. Raises as a submit does, and Conflict when the original's jobs are archived."""
    await tasks.hold(connection, original.task_id)  # what is shared is not recovered meanwhile
    made = await submission.submit(connection, services, who, decode_document(document))
    if await forks.has_archived(connection, original.task_id):
        raise Conflict(
            "the details of its finished jobs are archived", code="fork.archived", field="task", value=original.task_id,
            hint="their output files can no longer be told from each other; submit a new task",
        )  # fmt: skip
    gone = await transient.removed(connection, original.task_id, {"output"})
    if gone is not None:
        raise Conflict(f"{gone} was transient and is removed", code="fork.removed", field="task", value=original.task_id, hint="submit a new task")
    new = {(d.role, d.stream): d for d in await units.task_datasets(connection, [made.task_id])}
    for source in await units.task_datasets(connection, [original.task_id]):
        target = new.get((source.role, source.stream))
        if target is not None and source.is_master:
            await forks.share_units(connection, source.task_dataset_id, made.task_id, target.task_dataset_id, _attempts(document))
    await forks.share_files(connection, original.task_id, made.task_id)
    await forks.note(connection, original.task_id, made.task_id)
    return made


def _attempts(document: dict[str, Any]) -> int:
    return int(decode_document(document).retry.max_attempts)
