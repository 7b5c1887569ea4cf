"""Not the queues where the task failed lately for a reason that is the queue's."""

from dataclasses import dataclass

from pandawms.domain.snapshot import QueueSnapshot, Rejection, TaskSnapshot


@dataclass(frozen=True, slots=True)
class AvoidedQueue:
    """Rejects queues that a retry rule has the task avoid for a while (PanDA: too many failed jobs at a queue lately, semantics 4.2)."""

    name: str = "avoided"

    def judge(self, task: TaskSnapshot, queue: QueueSnapshot) -> Rejection | float:
        """Rejects a queue that the task avoids, and says until when and why."""
        for avoided in task.avoided_queues:
            if avoided.queue == queue.name:
                until = avoided.until.strftime("%Y-%m-%d %H:%M UTC")
                return Rejection(queue.name, self.name, f"it is avoided until {until}: {avoided.reason}", until, None)
        return 1.0


AVOIDED = AvoidedQueue()
