"""The processor must be of the right kind."""

from dataclasses import dataclass

from pandawms.domain.snapshot import QueueSnapshot, Rejection, TaskSnapshot


@dataclass(frozen=True, slots=True)
class Architecture:
    """Rejects queues of another architecture; `any` on either side fits all."""

    name: str = "architecture"

    def judge(self, task: TaskSnapshot, queue: QueueSnapshot) -> Rejection | float:
        """Rejects a queue whose nodes are of another architecture than the task asks for."""
        wanted = task.requirement.architecture
        if "any" in (wanted, queue.architecture) or wanted == queue.architecture:
            return 1.0
        return Rejection(queue.name, self.name, f"its nodes are {queue.architecture}, the task asks for {wanted}", queue.architecture, wanted)


ARCHITECTURE = Architecture()
