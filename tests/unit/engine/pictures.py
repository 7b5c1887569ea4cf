"""Pictures of tasks and queues for tests of brokerage."""

from typing import Any

from pandawms.domain.queue import QueueStatus
from pandawms.domain.snapshot import QueueSnapshot, Requirement, TaskSnapshot
from pandawms.domain.task import TaskStatus


def task(requirement: Requirement | None = None, **changes: Any) -> TaskSnapshot:
    """A task of ten open units that any queue fits."""
    given: dict[str, Any] = {
        "task_id": 1, "name": "t", "status": TaskStatus.READY, "community": "local", "owner": "ada", "priority": 1000,
        "requirement": requirement or Requirement(), "open_units": 10,
    }  # fmt: skip
    return TaskSnapshot(**given | changes)


def queue(name: str = "q", **changes: Any) -> QueueSnapshot:
    """An online queue of four-core slots."""
    given: dict[str, Any] = {
        "queue_id": 1, "name": name, "status": QueueStatus.ONLINE, "cores": 4, "memory_mb": 8000, "disk_mb": 20_000, "max_wall_seconds": 86_400,
        "architecture": "x86_64",
    }  # fmt: skip
    return QueueSnapshot(**given | changes)
