"""Only the queues that the task names, when it names any, and none that it leaves out."""

from dataclasses import dataclass

from pandawms.domain.snapshot import QueueSnapshot, Rejection, TaskSnapshot


@dataclass(frozen=True, slots=True)
class Listed:
    """Rejects queues that are not in the task's own list, or that it excludes."""

    name: str = "listed"

    def judge(self, task: TaskSnapshot, queue: QueueSnapshot) -> Rejection | float:
        """Rejects a queue that a task with a list does not name, and one that it excludes."""
        if queue.name in task.excluded_queues:
            return Rejection(queue.name, self.name, "the task excludes it", None, queue.name)
        if not task.allowed_queues or queue.name in task.allowed_queues:
            return 1.0
        return Rejection(queue.name, self.name, f"the task allows only {', '.join(sorted(task.allowed_queues))}", None, queue.name)


LISTED = Listed()
