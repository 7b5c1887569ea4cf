"""What several stories look at: verdicts, the way of a task through its statuses, its outputs, pilots of other queues."""

from dataclasses import replace
from typing import Any

from pandawms.store import events, identity, places
from pandawms.wire.pilot.claim import JobSpec
from tests.engine.play import FILES, rows, value
from tests.world import World

TWENTY: dict[str, Any] = FILES | {"retry": {"max_attempts": 1}}
"""A task over the twenty files of user.ada:in, each in a job of its own, without a second attempt."""
CHILD: dict[str, Any] = FILES | {"name": "child", "inputs": {"in": {"task": "t", "output": "out"}}}
"""A task that reads what the task t writes, file by file."""


async def verdicts(world: World, task_id: int) -> list[tuple[str, str, float]]:
    """The rounds of a task: status, line of the table of verdicts, per cent."""
    found = await rows(world, "SELECT status, verdict FROM task_round WHERE task_id = $1 ORDER BY round", task_id)
    return [(row["status"], row["verdict"]["rule"], row["verdict"]["percent"]) for row in found]


async def way(world: World, task_id: int) -> list[str]:
    """The statuses through which a task went, without those that it kept."""
    found = await rows(world, "SELECT from_status, to_status FROM task_event WHERE task_id = $1 ORDER BY event_id", task_id)
    return [row["to_status"] for row in found if row["from_status"] != row["to_status"]]


async def reason(world: World, task_id: int) -> dict[str, Any]:
    """The reason that is kept with a task."""
    return dict(await value(world, "SELECT reason FROM task WHERE task_id = $1", task_id) or {})


async def is_open(world: World, task_id: int, stream: str = "out") -> bool:
    """Whether an output dataset of a task takes files."""
    query = "SELECT d.is_open FROM dataset d JOIN task_dataset td USING (dataset_id) WHERE td.task_id = $1 AND td.stream = $2"
    return bool(await value(world, query, task_id, stream))


async def farm(world: World, name: str, memory_mb: int = 4000) -> World:
    """Another queue with a storage of its own, and the world as its pilots see it."""
    async with world.pool.acquire() as connection, connection.transaction():
        community_id = await identity.ensure_community(connection, "local")
        site_id = await places.ensure_site(connection, name)
        endpoint_id = await places.ensure_endpoint(connection, site_id, f"disk-{name}", "local", f"file:///tmp/{name}")
        queue_id, _ = await places.put_queue(
            connection, community_id, site_id, name, cores=1, memory_mb=memory_mb, disk_mb=10_000, max_wall_seconds=86_400, architecture="x86_64", slots=2
        )
        await places.put_queue_storage(connection, queue_id, endpoint_id, 1, 1)
        await events.log(connection, "queue", queue_id, "add", None, "online", "test")
    return replace(world, queue_id=queue_id, endpoint_id=endpoint_id)


async def claim_all(world: World, **slot: Any) -> list[JobSpec]:
    """Claims all jobs that are ready in the queue."""
    found: list[JobSpec] = []
    while jobs := await world.claim(50, **slot):
        found += jobs
    return found
