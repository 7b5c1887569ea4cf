"""Takes the pictures that the rules look at."""

from collections.abc import Sequence
from dataclasses import replace

from pandawms.domain.queue import QueueStatus
from pandawms.domain.snapshot import Avoided, QueueSnapshot, TaskSnapshot
from pandawms.domain.task import TaskStatus
from pandawms.engine.requirements import effective, requirement, with_build
from pandawms.store import catalogue, listing, places, tasks
from pandawms.store.database import Connection
from pandawms.store.units import TaskDataset
from pandawms.wire.document import TaskDocument


async def queue_snapshots(connection: Connection) -> tuple[QueueSnapshot, ...]:
    """Returns a picture of every queue, by name."""
    ties = await places.queue_endpoints(connection)
    writable = {endpoint.endpoint_id for endpoint in await places.endpoints(connection) if endpoint.can_write}
    readable: dict[int, set[int]] = {}
    for tie in ties:
        if tie.read_order is not None:
            readable.setdefault(tie.queue_id, set()).add(tie.endpoint_id)
    writers = {tie.queue_id for tie in ties if tie.write_order is not None and tie.endpoint_id in writable}
    rows = await places.queues(connection)
    return tuple(_queue(row, frozenset(readable.get(row.queue_id, ())), row.queue_id in writers) for row in rows)


async def input_endpoints(connection: Connection, inputs: Sequence[TaskDataset]) -> frozenset[int]:
    """Returns the endpoints that hold at least one file of these inputs."""
    found: frozenset[int] = frozenset()
    for source in inputs:
        if source.role == "input":
            for dataset_id in await listing.dataset_ids(connection, source.task_dataset_id):
                found |= await catalogue.endpoints_of_dataset(connection, dataset_id)
    return found


def task_snapshot(task: tasks.Task, document: TaskDocument, *, open_units: int, units_per_job: int, endpoints: frozenset[int],
                  avoided: tuple[Avoided, ...] = ()) -> TaskSnapshot:  # fmt: skip
    """Returns the picture of a task that is stored; its document has what commands ordered."""
    picture = wanted_snapshot(
        document, task_id=task.task_id, status=TaskStatus(task.status), community=task.community, owner=task.owner, open_units=open_units,
        units_per_job=units_per_job, endpoints=endpoints,
    )  # fmt: skip
    needs = with_build(requirement(effective(document.resources, task.learned, task.ordered)), document)
    return replace(picture, priority=task.priority, requirement=needs, avoided_queues=avoided)


def wanted_snapshot(document: TaskDocument, *, task_id: int, status: TaskStatus, community: str, owner: str, open_units: int, units_per_job: int,
                    endpoints: frozenset[int]) -> TaskSnapshot:  # fmt: skip
    """Returns the picture of a task from its document, stored or not."""
    return TaskSnapshot(
        task_id=task_id, name=document.name, status=status, community=community, owner=owner, priority=document.priority,
        requirement=with_build(requirement(document.resources), document), open_units=open_units, units_per_job=units_per_job,
        allowed_queues=frozenset(document.queues), excluded_queues=frozenset(document.exclude_queues), endpoints=endpoints,
    )  # fmt: skip


def _queue(row: places.QueueRow, endpoints: frozenset[int], can_write: bool) -> QueueSnapshot:
    return QueueSnapshot(
        queue_id=row.queue_id, name=row.name, status=QueueStatus(row.status), cores=row.cores, memory_mb=row.memory_mb, disk_mb=row.disk_mb,
        max_wall_seconds=row.max_wall_seconds, architecture=row.architecture, gpus=row.gpus, community=row.community, slots=row.slots,
        running_jobs=row.running_jobs, waiting_jobs=row.activated_jobs + row.other_jobs, endpoints=endpoints, can_write=can_write,
        last_pilot_at=row.last_pilot_at, nodes=row.nodes, gpu_model=row.gpu_model, gpu_memory_mb=row.gpu_memory_mb,
    )  # fmt: skip
