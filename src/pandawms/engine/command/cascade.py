"""How a command goes on to the tasks that read the outputs: who of them may be asked, and how those are named that are not."""

from collections.abc import Sequence
from typing import Any

from pandawms.engine.command.round import Round
from pandawms.store.tasks import Child

NAMED = 10
"""So many tasks are named in an answer."""


def sort(given: Round, children: Sequence[Child]) -> tuple[list[int], list[int]]:
    """Returns the tasks that whoever asked may command, and the others: an owner commands their own, the production role and operators all. Pure."""
    allowed = [child.task_id for child in children if _may(given, child)]
    return allowed, [child.task_id for child in children if not _may(given, child)]


def _may(given: Round, child: Child) -> bool:
    return child.owner_id == given.task.owner_id or bool(given.arguments.get("is_production"))


def handed_on(given: Round) -> dict[str, Any]:
    """The word with which the tasks that are asked go on to theirs: the door wrote it, no body can say it."""
    return {"is_production": True} if given.arguments.get("is_production") else {}


def left_out(task_ids: Sequence[int]) -> str:
    """The end of an answer that names the tasks which were not asked; empty when all were."""
    return f"; not asked, as they belong to others: {named(task_ids)}" if task_ids else ""


def named(task_ids: Sequence[int]) -> str:
    """Names the first of some tasks, and counts the rest."""
    more = f" and {len(task_ids) - NAMED:,} more" if len(task_ids) > NAMED else ""
    return f"task{'s' * (len(task_ids) != 1)} {', '.join(map(str, task_ids[:NAMED]))}{more}"
