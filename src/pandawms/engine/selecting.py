"""One command for many tasks: selects them, counts who takes it, and writes the commands, a thousand tasks a statement."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pandawms.domain.command import Verb, accepted_in
from pandawms.domain.errors import Conflict, Invalid, Limit
from pandawms.domain.identity import Who
from pandawms.domain.task import TaskStatus
from pandawms.store import commands
from pandawms.store.commands import Selected
from pandawms.store.database import Connection
from pandawms.wire.command import MAX_SELECTED, TaskSelector

SAMPLE = 10
TASKS_PER_STATEMENT = 1_000


@dataclass(frozen=True, slots=True)
class Sorted:
    """The tasks that take a command, and how many do not, by why not."""

    accepted: tuple[Selected, ...]
    refused: Mapping[str, int]


def check_selector(selector: TaskSelector) -> None:
    """Does nothing when a selector says which tasks; raises Invalid for one that says nothing, or everything and something."""
    given = [name for name in ("ids", "names", "statuses", "older_than_seconds") if getattr(selector, name) not in ((), None)]
    if not given and not selector.all:
        raise Invalid("no task is selected", code="selector.empty", field="selector", allowed="ids, names, statuses, older_than_seconds, or all",
                      hint="to mean all of your tasks, say all")  # fmt: skip
    for status in selector.statuses:
        if status not in set(map(str, TaskStatus)):
            raise Invalid(f"{status[:100]} is no status", code="not_allowed", field="selector.statuses", value=status[:100],
                          allowed=", ".join(TaskStatus), hint="choose one of those allowed")  # fmt: skip


def sort(found: Sequence[Selected], verb: Verb, may_command: Collection[int]) -> Sorted:
    """Sorts the selected: who takes the command now, and who does not, by denied, pending (another command is), or status. Pure."""
    accepted, refused = [], dict[str, int]()
    statuses = accepted_in(verb)
    for task in found:
        if task.task_id not in may_command:
            why = "denied"
        elif task.is_pending:
            why = "pending"
        elif TaskStatus(task.status) not in statuses:
            why = task.status
        else:
            accepted.append(task)
            continue
        refused[why] = refused.get(why, 0) + 1
    return Sorted(tuple(accepted), refused)


async def select(connection: Connection, who: Who, selector: TaskSelector, community: str | None) -> list[Selected]:
    """Returns the tasks of a selector. Raises Limit when there are more than one command may be given to."""
    check_selector(selector)
    found = await commands.select(
        connection, community=community, owner=selector.owner or who.name, ids=selector.ids, names=[like(name) for name in selector.names],
        statuses=selector.statuses, older_than_seconds=selector.older_than_seconds, n=MAX_SELECTED + 1,
    )  # fmt: skip
    if len(found) > MAX_SELECTED:
        raise Limit(
            f"more than {MAX_SELECTED:,} tasks are selected", code="selector.too_many", field="selector", value=len(found), allowed=f"{MAX_SELECTED:,}",
            hint="select fewer: by name, status or age",
        )  # fmt: skip
    return found


def check_count(n_accepted: int, expected: int | None) -> None:
    """Raises Conflict when another number of tasks takes the command than was expected."""
    if expected is not None and n_accepted != expected:
        raise Conflict(
            f"{n_accepted:,} tasks take it now, not {expected:,}", code="selector.count_changed", field="expected_count", value=expected,
            allowed=str(n_accepted), hint="look again (dry_run), then say the new number",
        )  # fmt: skip


async def ask(connection: Connection, who: Who, verb: Verb, chosen: Sequence[Selected], arguments: Mapping[str, Any]) -> int:
    """Writes the commands and returns how many; a task that got another one meanwhile is passed over."""
    ids = [task.task_id for task in chosen]
    written = 0
    for start in range(0, len(ids), TASKS_PER_STATEMENT):
        written += len(await commands.ask_many(connection, str(verb), ids[start : start + TASKS_PER_STATEMENT], who.user_id, dict(arguments)))
    return written


def like(name: str) -> str:
    """Returns a name with * and ? as a pattern of SQL's LIKE."""
    escaped = name.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%").replace("?", "_")
