"""Prefer queues with free slots and little waiting work."""

from dataclasses import dataclass

from pandawms.domain.snapshot import QueueSnapshot, Rejection, TaskSnapshot


@dataclass(frozen=True, slots=True)
class Backlog:
    """Weighs a queue by its slots over the work that it has already (PanDA: running jobs over waiting ones, semantics 4.4). Never rejects."""

    name: str = "backlog"

    def judge(self, task: TaskSnapshot, queue: QueueSnapshot) -> Rejection | float:
        """Returns slots / (1 + waiting + running jobs), a queue of unknown size counting as one slot."""
        return max(1, queue.slots or 1) / (1 + queue.waiting_jobs + queue.running_jobs)


BACKLOG = Backlog()
