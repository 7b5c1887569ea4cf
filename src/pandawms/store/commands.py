"""Commands: what users and operators ask, until the command stage has applied it; and the sets of jobs and units that they change."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pandawms.domain.errors import Conflict, Unavailable
from pandawms.domain.file import FileStatus
from pandawms.domain.job import QUEUED, JobStatus
from pandawms.store import counters
from pandawms.store.database import Connection
from pandawms.store.sql import load

sql = load("commands")


@dataclass(frozen=True, slots=True)
class Pending:
    """A command that is not applied yet; it is about a task or about a job. `progress` is what its last round left, None before the first."""

    command_id: int
    verb: str
    task_id: int | None
    job_id: int | None
    arguments: dict[str, Any]
    asked_by: int
    asker: str
    asked_at: datetime
    progress: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """A command, pending or applied."""

    command_id: int
    verb: str
    task_id: int | None
    job_id: int | None
    arguments: dict[str, Any]
    asker: str
    asked_at: datetime
    applied_at: datetime | None
    answer: str | None
    progress: dict[str, Any] | None
    result: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Selected:
    """A task of a selection; `is_pending` when a command of it is not applied yet."""

    task_id: int
    name: str
    status: str
    owner_id: int
    owner: str
    community: str
    is_pending: bool


async def ask(connection: Connection, verb: str, *, task_id: int | None = None, job_id: int | None = None, asked_by: int,
              arguments: dict[str, Any] | None = None) -> int:  # fmt: skip
    """Writes a command and returns its id; the same command still pending is returned instead of written twice.

    Raises Conflict that names the pending command when another one of the task is.
    """
    for _ in range(3):
        row = await sql.ask(connection, verb=verb, task_id=task_id, job_id=job_id, arguments=arguments or {}, asked_by=asked_by)
        if row is not None:
            return _asked(row, verb, arguments or {})
    raise Unavailable("a command that others write and apply could not be written", code="database.busy", hint="try again")


def _asked(row: Any, verb: str, arguments: dict[str, Any]) -> int:
    if row["verb"] != verb or (not row["is_new"] and _meaning(row["arguments"]) != _meaning(arguments)):
        raise Conflict(
            f"command {row['command_id']} of this task is pending: {row['verb']}, asked by {row['asker']}", code="command_pending", field="verb", value=verb,
            allowed="one command of a task at a time",
            hint="wait until it is applied (`panda why` says how far it is), or take it back while nothing of it is done: `panda withdraw`",
        )  # fmt: skip
    return int(row["command_id"])


def _meaning(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if name != "reason"}


async def ask_many(connection: Connection, verb: str, task_ids: Sequence[int], asked_by: int, arguments: dict[str, Any]) -> dict[int, int]:
    """Writes a command for each of these tasks that has none pending; returns the ids of commands by task."""
    rows = sql.ask_many(connection, verb=verb, task_ids=sorted(task_ids), arguments=arguments, asked_by=asked_by)
    return {row["task_id"]: row["command_id"] async for row in rows}


async def take(connection: Connection, n: int) -> list[Pending]:
    """Returns up to n pending commands whose next round is due, for the caller alone until its transaction ends."""
    return [Pending(**row) async for row in sql.take(connection, n=n)]


async def go_on(connection: Connection, command_id: int, progress: dict[str, Any] | None, seconds: float = 0.0) -> None:
    """Keeps how far a command has come; it stays pending, and its next round is due after so many seconds."""
    await sql.go_on(connection, command_id=command_id, progress=progress, seconds=seconds)


async def answer(connection: Connection, command_id: int, text: str, result: dict[str, Any] | None = None) -> None:
    """Marks a command as applied, with what came of it in words and in numbers."""
    await sql.answer(connection, command_id=command_id, answer=text, result=result)


async def pending(connection: Connection, task_id: int) -> Known | None:
    """Returns the command of this task that is not applied yet, or None."""
    row = await sql.pending(connection, task_id=task_id)
    return row and Known(**row)


async def withdraw(connection: Connection, command_id: int, answer: str) -> bool:
    """Takes back a command that no round has begun; it stays known, with this answer. False when one has begun it."""
    return await sql.withdraw(connection, command_id=command_id, answer=answer) is not None


async def rereading(connection: Connection, task_ids: Collection[int]) -> list[int]:
    """Returns those of the tasks that are about to look for units whose files were lost, and will find what is lost by now."""
    return [row["task_id"] async for row in sql.rereading(connection, task_ids=list(task_ids))]


async def is_pending(connection: Connection, task_id: int) -> bool:
    """Whether a command of this task is not applied yet."""
    return bool(await sql.is_pending(connection, task_id=task_id))


async def get(connection: Connection, command_id: int) -> Known | None:
    """Returns a command by id."""
    row = await sql.get(connection, command_id=command_id)
    return row and Known(**row)


async def of_task(connection: Connection, task_id: int, n: int) -> list[Known]:
    """Returns the newest n commands of a task."""
    return [Known(**row) async for row in sql.of_task(connection, task_id=task_id, n=n)]


async def job_ids(connection: Connection, task_id: int, statuses: Collection[JobStatus], after: int, n: int) -> list[int]:
    """Returns the next n jobs of a task, in order, that are in one of these statuses now; none of them is locked."""
    rows = sql.job_ids(connection, task_id=task_id, statuses=_words(statuses), after=after, n=n)
    return [row["job_id"] async for row in rows]


async def set_jobs(connection: Connection, job_ids: Sequence[int], priority: int | None, share_id: int | None) -> int:
    """Gives those of these jobs that no pilot has another priority or share; returns how many."""
    return int(await sql.set_jobs(connection, job_ids=job_ids, statuses=_words(QUEUED), priority=priority, share_id=share_id))


async def give_back(connection: Connection, job_ids: Sequence[int], tries: int) -> int:
    """Makes the units of ended jobs ready again as if the jobs had not been; `tries` is what a unit may be tried in all. Returns how many."""
    if not job_ids:
        return 0
    inputs = [tuple(row) async for row in sql.inputs_of(connection, job_ids=job_ids, low=min(job_ids), high=max(job_ids))]
    if not inputs:
        return 0
    unit_ids, of_jobs = zip(*inputs, strict=True)
    await counters.lock_units(connection, unit_ids)
    return await counters.follow(connection, [row async for row in sql.give_back(connection, task_file_ids=unit_ids, job_ids=of_jobs, tries=tries)])


async def reopen_units(connection: Connection, task_id: int, statuses: Collection[FileStatus], more_attempts: int, n: int) -> int:
    """Makes up to n settled units of a task ready again with so many more attempts; returns how many, 0 when none is left."""
    words = _words(statuses)
    while found := [row["task_file_id"] async for row in sql.settled_units(connection, task_id=task_id, statuses=words, n=n)]:
        await counters.lock_units(connection, found)
        changes = [row async for row in sql.reopen_units(connection, task_file_ids=found, statuses=words, more_attempts=more_attempts)]
        if changes:  # else somebody else has changed all of them since they were found
            return await counters.follow(connection, changes)
    return 0


async def last_number(connection: Connection, task_id: int) -> int:
    """Returns the highest number of a unit of a task, 0 without any."""
    return int(await sql.last_number(connection, task_id=task_id))


async def raise_attempts(connection: Connection, task_id: int, low: int, high: int, more: int) -> int:
    """Lets units with low < number <= high that are not processed be tried so many times more; returns how many."""
    found = [row["task_file_id"] async for row in sql.unprocessed(connection, task_id=task_id, low=low, high=high)]
    await counters.lock_units(connection, found)
    return await counters.follow(connection, [row async for row in sql.raise_attempts(connection, task_file_ids=found, more=more)])


async def set_task(connection: Connection, task_id: int, ordered: dict[str, Any], priority: int | None = None, share_id: int | None = None) -> None:
    """Keeps what a command set for a task, over what was set before; None takes a word away."""
    await sql.set_task(connection, task_id=task_id, ordered=ordered, priority=priority, share_id=share_id)


async def new_version(connection: Connection, task_id: int, document: dict[str, Any]) -> int:
    """Gives a task another document and returns its version; jobs that are made already keep theirs."""
    return int(await sql.new_version(connection, task_id=task_id, document=document))


async def relist(connection: Connection, task_dataset_ids: Collection[int]) -> None:
    """Lets inputs of a task be listed again."""
    await sql.relist(connection, task_dataset_ids=sorted(task_dataset_ids))


async def paused_tasks(connection: Connection, task_ids: Collection[int]) -> set[int]:
    """Returns those of these tasks that are paused; they stay as they are until the caller's transaction ends."""
    return {row["task_id"] async for row in sql.paused_tasks(connection, task_ids=sorted(task_ids))}


def _words(statuses: Collection[JobStatus] | Collection[FileStatus]) -> list[str]:
    return sorted(str(status) for status in statuses)


async def share_id(connection: Connection, community_id: int, name: str) -> int | None:
    """Returns the share of this name in a community, or None."""
    found: int | None = await sql.share_id(connection, community_id=community_id, name=name)
    return found


async def remove_outputs(connection: Connection, task_id: int) -> list[int]:
    """Takes the closed outputs of a task out of the catalogue's names, and returns their ids."""
    return [row["dataset_id"] async for row in sql.remove_outputs(connection, task_id=task_id)]


async def raise_ranges(connection: Connection, task_id: int, more: int) -> None:
    """Lets untouched units without rows be tried so many times more."""
    await sql.raise_ranges(connection, task_id=task_id, more=more)


async def select(connection: Connection, *, community: str | None, owner: str, ids: Sequence[int], names: Sequence[str], statuses: Sequence[str],
                 older_than_seconds: float | None, n: int) -> list[Selected]:  # fmt: skip
    """Returns the first n tasks that match all that is given; `names` are patterns of LIKE, nothing of a kind means any."""
    rows = sql.select(
        connection, community=community, owner=owner, ids=list(ids), names=list(names), statuses=list(statuses), older_than_seconds=older_than_seconds, n=n
    )
    return [Selected(**row) async for row in rows]


async def named_so(connection: Connection, task_id: int) -> int | None:
    """Returns another task of the owner that has taken this one's name since it was free, or None."""
    found: int | None = await sql.named_so(connection, task_id=task_id)
    return found


async def revive_outputs(connection: Connection, task_id: int) -> list[int]:
    """Brings the empty outputs of a killed task back, open, and returns their ids."""
    return [row["dataset_id"] async for row in sql.revive_outputs(connection, task_id=task_id)]
