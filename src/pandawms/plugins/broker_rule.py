"""Brokerage rules behind one seam: which queue may take a task, and how much it is worth."""

from typing import Protocol

from pandawms.domain.snapshot import QueueSnapshot, Rejection, TaskSnapshot


class BrokerRule(Protocol):
    """One rule of brokerage, pure: from a picture of a task and of a queue to a verdict.

    `name` is shown to users beside every rejection. Rules are asked in order; the first rejection of a queue ends the asking for it.
    """

    @property
    def name(self) -> str:
        """The rule's name, shown beside its rejections."""
        ...

    def judge(self, task: TaskSnapshot, queue: QueueSnapshot) -> Rejection | float:
        """Returns why the queue cannot take the task, or a factor for its weight: above 0, 1.0 when the rule has no preference."""
        ...
