"""The queue must have somewhere to put outputs."""

from dataclasses import dataclass

from pandawms.domain.snapshot import QueueSnapshot, Rejection, TaskSnapshot


@dataclass(frozen=True, slots=True)
class OutputStorage:
    """Rejects queues without a storage endpoint that their nodes can write."""

    name: str = "output_storage"

    def judge(self, task: TaskSnapshot, queue: QueueSnapshot) -> Rejection | float:
        """Rejects a queue that can write nowhere."""
        if queue.can_write:
            return 1.0
        return Rejection(queue.name, self.name, "it has no storage endpoint that it can write", None, None)


OUTPUT_STORAGE = OutputStorage()
