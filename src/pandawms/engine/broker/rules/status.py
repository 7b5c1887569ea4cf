"""A queue must be open for new work."""

from dataclasses import dataclass

from pandawms.domain.queue import PERMITS
from pandawms.domain.snapshot import QueueSnapshot, Rejection, TaskSnapshot


@dataclass(frozen=True, slots=True)
class Status:
    """Rejects queues to which no new jobs may be sent (test queues take test tasks)."""

    name: str = "status"

    def judge(self, task: TaskSnapshot, queue: QueueSnapshot) -> Rejection | float:
        """Rejects a queue whose status forbids new jobs."""
        permits = PERMITS[queue.status]
        if permits.brokered and (task.is_test or not permits.tests_only):
            return 1.0
        return Rejection(queue.name, self.name, f"it is {queue.status}", "online", str(queue.status))


STATUS = Status()
