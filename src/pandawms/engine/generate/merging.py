"""Makes the merge job of a group."""

from pandawms.domain.errors import Conflict
from pandawms.domain.snapshot import JobKind
from pandawms.engine.generate import building
from pandawms.engine.generate import plan as planning
from pandawms.engine.generate.building import State
from pandawms.engine.generate.creating import MERGING, create, keep_open
from pandawms.engine.requirements import effective, requirement
from pandawms.store import jobs, merges, tasks
from pandawms.store.database import Connection
from pandawms.wire.checks import decode_document
from pandawms.wire.document import TaskDocument
from pandawms.wire.document_view import merge_needs_build


async def merge(connection: Connection, group: merges.Group) -> None:
    """Makes the merge job of a group that the caller has taken. Raises Conflict when the task was killed meanwhile."""
    task = await tasks.get(connection, group.task_id)
    assert task is not None, "a merge group has a task"
    document = decode_document(task.document)
    assert document.merge is not None, "a merge group belongs to a task that merges"
    after = await _awaited(connection, task, document, group.queue_id) if merge_needs_build(document) else None
    (job_id,) = await jobs.next_ids(connection, 1)
    job, inputs = planning.merge_job(group, await merges.members(connection, group.merge_group_id), job_id)
    wanted = requirement(effective(document.resources, task.learned, task.ordered, kind=JobKind.MERGE), JobKind.MERGE)
    await create(connection, task, group.queue_id, wanted, [job], inputs, after=after)
    await merges.start_group(connection, group.merge_group_id, job_id)
    await keep_open(connection, task.task_id, MERGING)


async def _awaited(connection: Connection, task: tasks.Task, document: TaskDocument, queue_id: int) -> int | None:
    """The build job that a merge job has to wait for. Raises Conflict when there can be none now: aggregate says what becomes of the group."""
    held = await building.hold(connection, task, document, queue_id)
    if held.state in (State.FAILED, State.ENDING):
        raise Conflict(f"the build of task {task.task_id} for queue {queue_id} is {held.state}", code="build.not_there")
    return await building.awaited(connection, task, document, held)
