"""A broker rule for sites whose GPUs are few: their queues take only jobs that use a GPU, and a small job prefers a small slot.

A job of twenty hours on one core that sits in the only slot with GPUs keeps every GPU job of that site waiting for twenty hours; any other queue could
have run it.
"""

from dataclasses import dataclass

from pandawms.domain.snapshot import QueueSnapshot, Rejection, TaskSnapshot


@dataclass(frozen=True, slots=True)
class GpuReserved:
    """Rejects queues with GPUs for tasks that ask for none; prefers, for the others, the queue whose slots have no more GPUs than they need."""

    name: str = "gpu_reserved"

    def judge(self, task: TaskSnapshot, queue: QueueSnapshot) -> Rejection | float:
        """Returns the part of a slot's GPUs that a job would use (at most 1), 1.0 for a queue without any, a rejection for a job that uses none."""
        needed, offered = task.requirement.gpus, queue.gpus
        if offered == 0:
            return 1.0
        if needed == 0:
            return Rejection(queue.name, self.name, "it keeps its GPUs for jobs that use them, and the task asks for none", offered, needed)
        return min(1.0, needed / offered)


RULE = GpuReserved()
