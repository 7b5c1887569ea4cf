"""Tasks: what users asked for, where each stands, and the log of how it came there."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from pandawms.domain.job import JOB
from pandawms.domain.task import INTERLUDES, TASK, TaskEvent, TaskStatus
from pandawms.store.database import Connection
from pandawms.store.sql import load

sql = load("tasks")

LARGE = 10_000
"""Jobs from which on the counts of a task are kept."""
FINAL = sorted(str(status) for status in JOB.final)
"""The statuses of jobs that change no more."""
INTERRUPTIONS = sorted(str(status) for status in INTERLUDES)
"""Statuses that interrupt the flow of a task: what it did before stays its `previous_status`."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task with its present document (as it was parsed, keys in the user's order)."""

    task_id: int
    community_id: int
    community: str
    owner_id: int
    owner: str
    share_id: int
    name: str
    status: str
    version: int
    round: int
    priority: int
    reason: dict[str, Any] | None
    parent_task_id: int | None
    created_at: datetime
    changed_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    document: dict[str, Any]
    learned: dict[str, Any]
    ordered: dict[str, Any]
    previous_status: str | None


@dataclass(frozen=True, slots=True)
class Child:
    """A task that reads the outputs of another."""

    task_id: int
    status: str
    owner_id: int


@dataclass(frozen=True, slots=True)
class JobCount:
    """How many jobs of a task have a status, how many of them were another attempt, and what the ended ones used."""

    task_id: int
    status: str
    n: int
    retries: int
    wall_seconds: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Ended:
    """Times of one finished job."""

    wall_seconds: float | None
    started_at: datetime | None
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class BlueprintRow:
    """What never changes about a version of a task; `targets` maps a stream of outputs to [task_dataset_id, dataset_id, role, scope]."""

    task_id: int
    version: int
    task_name: str
    document: dict[str, Any]
    targets: dict[str, Any]


async def add(connection: Connection, *, community_id: int, owner_id: int, share_id: int, name: str, priority: int, parent_task_id: int | None,
              document: dict[str, Any], who: str) -> int | None:  # fmt: skip
    """Makes a task in status registered and returns its id; None when the owner has a task of this name."""
    task_id: int | None = await sql.add_task(
        connection, community_id=community_id, owner_id=owner_id, share_id=share_id, name=name, priority=priority, parent_task_id=parent_task_id,
        expires_after_seconds=document.get("expires_after_seconds"),
    )  # fmt: skip
    if task_id is None:
        return None
    await sql.add_template(connection, task_id=task_id, version=1, document=document)
    await sql.log_submit(connection, task_id=task_id, who=who)
    return task_id


async def move(connection: Connection, task_id: int, event: TaskEvent, who: str, why: dict[str, Any] | None = None) -> TaskStatus | None:
    """Applies an event to a task: its status and its log change together. Returns the new status; None when the table has no such move from where it is."""
    targets: dict[TaskStatus, list[str]] = {}
    for source in TASK.sources(event):
        targets.setdefault(TASK.next_status(source, event), []).append(str(source))
    for target, sources in targets.items():
        moved = await sql.move(
            connection, task_id=task_id, from_statuses=sources, to_status=str(target), event=str(event), who=who, why=why, is_final=target in TASK.final,
            interludes=INTERRUPTIONS,
        )  # fmt: skip
        if moved is not None:
            return target
    return None


async def stays(connection: Connection, task_id: int, statuses: Collection[TaskStatus]) -> bool:
    """Whether a task is in one of these statuses; it stays there until the transaction of the caller ends."""
    return bool(await sql.stays(connection, task_id=task_id, statuses=[str(status) for status in statuses]))


async def take(connection: Connection, statuses: Collection[TaskStatus], n: int) -> list[Task]:
    """Returns up to n due tasks of these statuses, for the caller alone until its transaction ends."""
    return [_task(row) async for row in sql.take(connection, statuses=[str(status) for status in statuses], n=n)]


async def get(connection: Connection, task_id: int) -> Task | None:
    """Returns a task by id."""
    row = await sql.task(connection, task_id=task_id)
    return row and _task(row)


async def latest_by_name(connection: Connection, owner_id: int, name: str) -> int | None:
    """Returns the newest task of this name that the owner has."""
    found: int | None = await sql.latest_by_name(connection, owner_id=owner_id, name=name)
    return found


async def names_of(connection: Connection, owner_id: int) -> tuple[str, ...]:
    """Returns the newest 200 names of an owner's tasks."""
    return tuple([row["name"] async for row in sql.names_of(connection, owner_id=owner_id)])


async def templates(connection: Connection, versions: Collection[tuple[int, int]]) -> dict[tuple[int, int], dict[str, Any]]:
    """Returns the documents of (task_id, version) pairs."""
    wanted = sorted(versions)
    rows = sql.templates(connection, task_ids=[task_id for task_id, _ in wanted], versions=[version for _, version in wanted])
    return {(row["task_id"], row["version"]): row["document"] async for row in rows}


async def blueprints(connection: Connection, versions: Collection[tuple[int, int]]) -> list[BlueprintRow]:
    """Returns what never changes about (task_id, version) pairs."""
    task_ids, numbers = zip(*versions, strict=True)
    return [BlueprintRow(**row) async for row in sql.blueprints(connection, task_ids=task_ids, versions=numbers)]


async def explain(connection: Connection, task_id: int, reason: dict[str, Any] | None, seconds: float, unless: Collection[TaskStatus] = ()) -> None:
    """Keeps why a task waits, unless it is in one of these statuses, and looks at it again after so many seconds."""
    await sql.explain(connection, task_id=task_id, reason=reason, seconds=seconds, unless=[str(status) for status in unless])


async def touch(connection: Connection, task_ids: Collection[int]) -> None:
    """Asks aggregate to look at these tasks."""
    if task_ids:
        await sql.touch(connection, task_ids=list(task_ids))


async def touches(connection: Connection, n: int) -> dict[int, list[int]]:
    """Returns the oldest n touches by task; they stay until they are dropped."""
    found: dict[int, list[int]] = {}
    async for row in sql.touches(connection, n=n):
        found.setdefault(row["task_id"], []).append(row["touch_id"])
    return found


async def drop_touches(connection: Connection, touch_ids: Sequence[int]) -> None:
    """Forgets touches whose consequences the caller's transaction holds."""
    await sql.drop_touches(connection, touch_ids=list(touch_ids))


async def hold(connection: Connection, task_id: int) -> None:
    """Makes the caller the only one who follows this task until its transaction ends; others wait. Take several in the order of their ids."""
    await sql.hold(connection, task_id=task_id)


async def add_round(connection: Connection, task_id: int, status: TaskStatus, verdict: dict[str, Any]) -> None:
    """Keeps the verdict of the present round."""
    await sql.add_round(connection, task_id=task_id, status=str(status), verdict=verdict)


async def next_round(connection: Connection, task_id: int) -> None:
    """Starts a new round, for a task that is re-opened."""
    await sql.next_round(connection, task_id=task_id)


async def children(connection: Connection, task_id: int) -> list[tuple[int, str]]:
    """Returns the ids and statuses of the tasks that read this one's outputs."""
    return [(row["task_id"], row["status"]) async for row in sql.children(connection, task_id=task_id)]


async def offspring(connection: Connection, task_id: int) -> list[Child]:
    """Returns the tasks that read this one's outputs, with their owners."""
    return [Child(**row) async for row in sql.children(connection, task_id=task_id)]


async def communities(connection: Connection, task_ids: Collection[int]) -> dict[int, str]:
    """Returns the community of each task."""
    return {row["task_id"]: row["community"] async for row in sql.communities(connection, task_ids=list(task_ids))}


async def job_counts(connection: Connection, task_ids: Sequence[int]) -> dict[int, list[JobCount]]:
    """Returns how many jobs each task has by status, hot and ended.

    Counting takes about 0.3 us a job. So what was counted of a task with ten thousand jobs or more is kept and told again for 10 us a job (10 s at a million),
    and for ever when the task and all its jobs had ended before they were counted.
    """
    found: dict[int, list[JobCount]] = {task_id: [] for task_id in task_ids}
    kept = {row["task_id"]: row["counts"] async for row in sql.kept_counts(connection, task_ids=list(task_ids), final_statuses=FINAL)}
    for task_id, counts in kept.items():
        found[task_id] = [JobCount(**count) for count in counts]
    counted_at = None
    async for row in sql.counts(connection, task_ids=[task_id for task_id in task_ids if task_id not in kept]):
        found[row["task_id"]].append(_job_count(row))
        counted_at = row["counted_at"]
    await _keep_counts(connection, {task_id: found[task_id] for task_id in found.keys() - kept.keys()}, counted_at)
    return found


async def _keep_counts(connection: Connection, counted: dict[int, list[JobCount]], counted_at: datetime | None) -> None:
    large = {task_id: n for task_id in sorted(counted) if (n := sum(count.n for count in counted[task_id])) >= LARGE}
    if large and await sql.may_write(connection):
        for task_id, n in large.items():
            await sql.keep_counts(connection, task_id=task_id, counted_at=counted_at, n=n, counts=[asdict(count) for count in counted[task_id]])


async def ended_lately(connection: Connection, task_id: int, n: int) -> list[Ended]:
    """Returns the times of the newest n finished jobs."""
    return [Ended(**row) async for row in sql.ended_lately(connection, task_id=task_id, n=n)]


def _job_count(row: Any) -> JobCount:
    return JobCount(**{name: row[name] for name in JobCount.__dataclass_fields__})


def _task(row: Any) -> Task:
    return Task(**{name: row[name] for name in Task.__dataclass_fields__})
