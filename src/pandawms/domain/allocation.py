"""What the brokerage leaves: how many inputs of a task a queue may take, for how long, and how strongly it is preferred."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Allocation:
    """A queue may take up to `quota` inputs of a task until `expires_at`; `weight` orders the queues of one task, larger first."""

    task_id: int
    queue_id: int
    quota: int
    weight: float
    evaluated_at: datetime
    expires_at: datetime

    def __post_init__(self) -> None:
        if self.quota < 0:
            raise ValueError(f"quota is {self.quota}, and must not be negative")
        if self.expires_at <= self.evaluated_at:
            raise ValueError("expires_at must be after evaluated_at")

    def is_open(self, now: datetime) -> bool:
        """Whether it may still be used at `now`."""
        return self.quota > 0 and now < self.expires_at
