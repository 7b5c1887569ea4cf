"""Decides what a command does to a task or job in its present status. Pure."""

from dataclasses import dataclass

from pandawms.domain.command import Verb, event_for
from pandawms.domain.errors import PandaError
from pandawms.domain.job import QUEUED, SETTLING
from pandawms.domain.task import TaskEvent, TaskStatus

CANCELLED_AT_ONCE = QUEUED | SETTLING
"""Jobs that no pilot holds."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The event of the task (None when the command is refused) and a sentence for whoever asked."""

    event: TaskEvent | None
    answer: str


def for_task(verb: str, status: str, previous_status: str | None) -> Decision:
    """Returns what a command does to a task; a command that no longer fits is refused with the reason."""
    try:
        event = event_for(Verb(verb), TaskStatus(status), TaskStatus(previous_status) if previous_status else None)
    except PandaError as error:
        return Decision(None, f"refused: {error.detail}")
    return Decision(event, f"applied to a task in status {status}")
