"""A queue serves its own community."""

from dataclasses import dataclass

from pandawms.domain.snapshot import QueueSnapshot, Rejection, TaskSnapshot


@dataclass(frozen=True, slots=True)
class Community:
    """Rejects queues of another community; a queue of none serves all."""

    name: str = "community"

    def judge(self, task: TaskSnapshot, queue: QueueSnapshot) -> Rejection | float:
        """Rejects a queue that belongs to another community than the task."""
        if queue.community in (None, task.community):
            return 1.0
        return Rejection(queue.name, self.name, f"it serves {queue.community}, the task belongs to {task.community}", queue.community, task.community)


COMMUNITY = Community()
