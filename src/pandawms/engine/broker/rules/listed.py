"""Only the queues that the task names, when it names any."""

from dataclasses import dataclass

from pandawms.domain.snapshot import QueueSnapshot, Rejection, TaskSnapshot


@dataclass(frozen=True, slots=True)
class Listed:
    """Rejects queues that are not in the task's own list."""

    name: str = "listed"

    def judge(self, task: TaskSnapshot, queue: QueueSnapshot) -> Rejection | float:
        """Rejects a queue that a task with a list does not name."""
        if not task.allowed_queues or queue.name in task.allowed_queues:
            return 1.0
        return Rejection(queue.name, self.name, f"the task allows only {', '.join(sorted(task.allowed_queues))}", None, queue.name)


LISTED = Listed()
