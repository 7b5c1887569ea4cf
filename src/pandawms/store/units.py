"""Datasets as a task sees them, and its units: the files or chunks of events that must be processed once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pandawms.store.database import Connection
from pandawms.store.sql import load

sql = load("units")


@dataclass(frozen=True, slots=True)
class TaskDataset:
    """A dataset in a task with its counters; the fields of the catalogue are None for a pseudo input."""

    task_dataset_id: int
    task_id: int
    dataset_id: int | None
    role: str
    stream: str
    is_master: bool
    is_complete: bool
    status: str
    n_listed: int
    n_used: int
    n_finished: int
    n_failed: int
    n_events: int
    n_events_finished: int
    scope: str | None
    name: str | None
    is_open: bool | None
    dataset_files: int | None
    dataset_bytes: int | None
    dataset_events: int | None


@dataclass(frozen=True, slots=True)
class Growing:
    """An input whose dataset has grown or closed since it was listed."""

    task_dataset_id: int
    task_id: int
    dataset_id: int
    n_listed: int
    is_open: bool
    n_files: int
    document: dict[str, Any]


class Unit(NamedTuple):
    """A unit that is ready: `attempt` counts the jobs that had it, `job_id` is the last of them."""

    task_file_id: int
    task_dataset_id: int
    file_id: int | None
    number: int
    first_event: int | None
    n_events: int | None
    attempt: int
    job_id: int | None
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class Ready:
    """How many units of a task are ready, and whether all its input is listed."""

    n_ready: int
    is_complete: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """What decides the verdict of a task; numbers are of units and events of its master input."""

    n_listed: int
    n_used: int
    n_finished: int
    n_failed: int
    n_events: int
    n_events_finished: int
    is_complete: bool
    has_waiting_units: bool
    has_jobs: bool
    has_working_jobs: bool


async def add_task_dataset(connection: Connection, task_id: int, dataset_id: int | None, role: str, stream: str, *, is_master: bool = False) -> int:
    """Ties a dataset to a task under a stream and returns the id of the tie."""
    return int(await sql.add_task_dataset(connection, task_id=task_id, dataset_id=dataset_id, role=role, stream=stream, is_master=is_master))


async def task_datasets(connection: Connection, task_ids: Sequence[int]) -> list[TaskDataset]:
    """Returns the datasets of tasks, in the order of their documents."""
    rows = sql.task_datasets(connection, task_ids=list(task_ids))
    return [TaskDataset(**{name: row[name] for name in TaskDataset.__dataclass_fields__}) async for row in rows]


async def add_event_chunks(connection: Connection, task_id: int, task_dataset_id: int, *, first: int, count: int, chunk: int, max_attempts: int) -> int:
    """Lists `count` events from `first` as units of `chunk` events; returns how many units."""
    listed = await sql.add_event_chunks(
        connection, task_id=task_id, task_dataset_id=task_dataset_id, first=first, count=count, chunk=chunk, max_attempts=max_attempts
    )
    return int(listed)


async def list_files(connection: Connection, task_id: int, task_dataset_id: int, *, max_attempts: int, is_complete: bool) -> int:
    """Lists the files of the input's dataset that are not units yet; returns how many are new."""
    return int(await sql.list_files(connection, task_id=task_id, task_dataset_id=task_dataset_id, max_attempts=max_attempts, is_complete=is_complete))


async def growing(connection: Connection, n: int) -> list[Growing]:
    """Returns up to n inputs that must be listed again, for the caller alone until its transaction ends."""
    return [Growing(**row) async for row in sql.growing(connection, n=n)]


async def take_ready(connection: Connection, task_id: int, n: int) -> list[Unit]:
    """Returns up to n ready units in order, for the caller alone until its transaction ends."""
    return [Unit(*row) async for row in sql.take_ready(connection, task_id=task_id, n=n)]


async def ready(connection: Connection, task_ids: Sequence[int], ceiling: int) -> dict[int, Ready]:
    """Returns how many units of each task are ready, counted no further than the ceiling."""
    rows = sql.ready_counts(connection, task_ids=list(task_ids), ceiling=ceiling)
    return {row["task_id"]: Ready(row["n_ready"], bool(row["is_complete"])) async for row in rows}


async def retry_failed(connection: Connection, task_id: int) -> int:
    """Makes failed units with attempts left ready again; returns how many."""
    return int(await sql.retry_failed(connection, task_id=task_id))


async def reopen_failed(connection: Connection, task_id: int, more_attempts: int) -> int:
    """Gives units without attempts left more of them; returns how many are ready again."""
    return int(await sql.reopen_failed(connection, task_id=task_id, more_attempts=more_attempts))


async def cancel_rest(connection: Connection, task_id: int) -> int:
    """Cancels units that no job has; returns how many."""
    return int(await sql.cancel_rest(connection, task_id=task_id))


async def progress(connection: Connection, task_id: int) -> Progress:
    """Returns what decides the verdict of a task."""
    return Progress(**await sql.progress(connection, task_id=task_id))


async def reuse_input(connection: Connection, task_id: int) -> bool:
    """Lets the inputs of a task grow again; False when they are closed."""
    return bool([row async for row in sql.reuse_input(connection, task_id=task_id)])
