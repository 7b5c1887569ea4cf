"""What run jobs and merge jobs have in common when they are made."""

from collections.abc import Mapping, Sequence

from pandawms.domain.errors import Conflict, Unavailable
from pandawms.domain.snapshot import JobKind, Requirement
from pandawms.domain.stages import Stage
from pandawms.domain.task import TaskStatus
from pandawms.store import jobs, tasks
from pandawms.store.database import Connection
from pandawms.store.jobs import NewInput, NewJob

WHO = str(Stage.GENERATE)

MERGING = frozenset({
    TaskStatus.READY, TaskStatus.SCOUTING, TaskStatus.SCOUTED, TaskStatus.RUNNING, TaskStatus.MERGING, TaskStatus.PENDING, TaskStatus.FINISHING,
})  # fmt: skip
"""Statuses in which a task may get merge jobs, and build jobs that jobs wait for: what has run is kept, also when the task waits for something or is to end
early."""


async def create(connection: Connection, task: tasks.Task, queue_id: int, requirement: Requirement, new: Sequence[NewJob],
                 inputs: Sequence[NewInput], *, after: int | None = None, more_priority: int = 0) -> None:  # fmt: skip
    """Makes jobs of one kind and one class of needs, which wait for the job `after` where one is given."""
    await jobs.create(
        connection, task_id=task.task_id, version=task.version, kind=str(JobKind(requirement.kind)), queue_id=queue_id,
        requirement_id=await jobs.requirement_id(connection, requirement), endpoint_id=await _endpoint(connection, queue_id),
        priority=task.priority + more_priority, who=WHO, new=new, inputs=inputs, after=after,
    )  # fmt: skip


async def create_alike(connection: Connection, task: tasks.Task, queue_id: int, requirement: Requirement, new: Sequence[NewJob],
                       n_inputs: Mapping[int, int]) -> None:  # fmt: skip
    """Makes copies of jobs, whose inputs the caller adds."""
    await jobs.create_alone(
        connection, task_id=task.task_id, version=task.version, kind=str(JobKind(requirement.kind)), queue_id=queue_id,
        requirement_id=await jobs.requirement_id(connection, requirement), endpoint_id=await _endpoint(connection, queue_id), priority=task.priority,
        who=WHO, new=new, n_inputs=n_inputs,
    )  # fmt: skip


async def keep_open(connection: Connection, task_id: int, statuses: frozenset[TaskStatus]) -> None:
    """Raises Conflict, so that nothing is made, when the task was killed meanwhile; else the kill waits for the new jobs and finds them."""
    if not await tasks.stays(connection, task_id, statuses):
        raise Conflict(f"task {task_id} takes no jobs any more", code="task.shut")


async def _endpoint(connection: Connection, queue_id: int) -> int:
    """Where jobs of this queue put their outputs. Raises Unavailable, so that nothing is made, when it is nowhere now."""
    found = (await jobs.write_endpoints(connection, [queue_id])).get(queue_id)
    if found is None:
        raise Unavailable(f"queue {queue_id} has no storage to write to", code="queue.no_storage")
    return found
