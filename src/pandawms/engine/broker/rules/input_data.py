"""The queue must be able to read the task's input data."""

from dataclasses import dataclass

from pandawms.domain.snapshot import QueueSnapshot, Rejection, TaskSnapshot


@dataclass(frozen=True, slots=True)
class InputData:
    """Rejects queues that read none of the endpoints that hold the inputs; prefers those that read more of them."""

    name: str = "input_data"

    def judge(self, task: TaskSnapshot, queue: QueueSnapshot) -> Rejection | float:
        """Rejects a queue that can read no input, else weighs it by the part of the endpoints that it reads."""
        if not task.endpoints:
            return 1.0
        readable = task.endpoints & queue.endpoints
        if readable:
            return len(readable) / len(task.endpoints)
        return Rejection(queue.name, self.name, "it can read none of the storage that holds the input", len(queue.endpoints), len(task.endpoints))


INPUT_DATA = InputData()
