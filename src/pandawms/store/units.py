"""Datasets as a task sees them, and its units: the files or chunks of events that must be processed once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pandawms.domain.errors import Conflict
from pandawms.store import counters
from pandawms.store.database import Connection
from pandawms.store.sql import load

sql = load("units")

RANGE = 5_000
"""Units in a range at most: what one part of an allocation takes, so that parts that are worked on at the same time take different ranges."""


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


class Unit(NamedTuple):
    """A unit that is ready: `attempt` counts the jobs that had it, `job_id` is the last of them.

    `is_ranged` is true of one that no job has had and that its range still holds; without a file it has no row (`task_file_id` None) until its first job.
    """

    task_file_id: int | None
    task_dataset_id: int
    file_id: int | None
    number: int
    first_event: int | None
    n_events: int | None
    attempt: int
    job_id: int | None
    size_bytes: int | None
    max_attempts: int
    is_ranged: bool = False


class Range(NamedTuple):
    """Untouched units from_number to to_number. Each has `unit_events` events from `first_event` on, the last one ends before `end_event` (None: no events)."""

    task_dataset_id: int
    from_number: int
    to_number: int
    has_rows: bool
    max_attempts: int
    first_event: int | None
    unit_events: int | None
    end_event: int | None

    def units(self) -> list[Unit]:
        """The units of a range without rows."""
        dataset, attempts, first = self.task_dataset_id, self.max_attempts, self.first_event
        numbers = range(self.from_number, self.to_number + 1)
        if first is None:
            return [Unit(None, dataset, None, number, None, None, 0, None, None, attempts, True) for number in numbers]
        if self.unit_events is None or self.end_event is None:
            return [Unit(None, dataset, None, number, event, None, 0, None, None, attempts, True) for event, number in enumerate(numbers, first)]
        width, end, events = self.unit_events, self.end_event, range(first, self.end_event, self.unit_events)
        return [
            Unit(None, dataset, None, number, event, min(width, end - event), 0, None, None, attempts, True)
            for number, event in zip(numbers, events, strict=False)
        ]


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
    """Lists `count` events from `first` as units of `chunk` events, after those that are there; returns how many units the input has now."""
    return await _add_numbers(connection, task_id, task_dataset_id, -(-count // chunk), max_attempts, first_event=first, unit_events=chunk, n_events=count)


async def add_pieces(connection: Connection, task_id: int, task_dataset_id: int, *, count: int, max_attempts: int) -> int:
    """Lists `count` numbered pieces as units (their `first_event` is their number), after those that are there; returns how many the input has now."""
    return await _add_numbers(connection, task_id, task_dataset_id, count, max_attempts, first_event=None, unit_events=None, n_events=None)


async def _add_numbers(connection: Connection, task_id: int, task_dataset_id: int, n_units: int, max_attempts: int, *, first_event: int | None,
                       unit_events: int | None, n_events: int | None) -> int:  # fmt: skip
    listed = await sql.add_numbers(
        connection, task_id=task_id, task_dataset_id=task_dataset_id, n_units=n_units, width=RANGE, first_event=first_event, unit_events=unit_events,
        n_events=n_events, max_attempts=max_attempts,
    )  # fmt: skip
    return int(listed)


async def add_range_of_rows(connection: Connection, task_id: int, task_dataset_id: int, from_number: int, to_number: int, max_attempts: int) -> None:
    """Notes that no job has had these units, whose rows the caller has just made (status ready, `is_ranged`)."""
    await sql.add_range_of_rows(
        connection, task_id=task_id, task_dataset_id=task_dataset_id, from_number=from_number, to_number=to_number, width=RANGE, max_attempts=max_attempts
    )


async def take_ready(connection: Connection, task_id: int, n: int) -> list[Unit]:
    """Returns up to n ready units in order, for the caller alone until its transaction ends: those that a job had, then untouched ones.

    What the caller gives to no job (`jobs.create`) stays as it is. When others hold all that is there it waits for them, unless it has some units already.
    """
    found = [Unit(*row) async for row in sql.take_again(connection, task_id=task_id, n=n)]
    if len(found) < n:
        rows = sql.take_ranges(connection, task_id=task_id, n=n - len(found), may_wait=not found)
        found += await _units_of(connection, [Range(*row) async for row in rows])
    return found


async def _units_of(connection: Connection, ranges: Sequence[Range]) -> list[Unit]:
    """The units of ranges that the caller holds, in order."""
    found = [unit for each in ranges if not each.has_rows for unit in each.units()]
    with_rows = [each for each in ranges if each.has_rows]
    if with_rows:
        rows = sql.take_listed(
            connection, task_dataset_ids=[r.task_dataset_id for r in with_rows], from_numbers=[r.from_number for r in with_rows],
            to_numbers=[r.to_number for r in with_rows],
        )  # fmt: skip
        listed = [Unit(*row) async for row in rows]
        await _forget_stale(connection, with_rows, listed)
        found += listed
    return found


async def _forget_stale(connection: Connection, ranges: Sequence[Range], listed: Sequence[Unit]) -> None:
    """Takes numbers out of ranges whose rows went on without them: an engine of release 0.2, which knows no ranges, has changed them."""
    if len(listed) == sum(each.to_number - each.from_number + 1 for each in ranges):
        return
    known = {(unit.task_dataset_id, unit.number) for unit in listed}
    stale = [(each.task_dataset_id, n) for each in ranges for n in range(each.from_number, each.to_number + 1) if (each.task_dataset_id, n) not in known]
    await leave_ranges(connection, stale)


async def leave_ranges(connection: Connection, numbers: Sequence[tuple[int, int]]) -> None:
    """Takes units, by input and number, out of the ranges that have them; the caller holds these."""
    if numbers:
        task_dataset_ids, of_units = zip(*numbers, strict=True)
        await sql.use_ranges(connection, task_dataset_ids=task_dataset_ids, from_numbers=of_units, to_numbers=of_units)


async def use(connection: Connection, untouched: Sequence[Unit]) -> None:
    """Takes units that are given to jobs out of their ranges. Raises Conflict when one was in none any more: then nothing may be made of it."""
    runs = _runs(untouched)
    if not runs:
        return
    task_dataset_ids, from_numbers, to_numbers = zip(*runs, strict=True)
    used = await sql.use_ranges(connection, task_dataset_ids=task_dataset_ids, from_numbers=from_numbers, to_numbers=to_numbers)
    if used != len(untouched):
        raise Conflict(f"{len(untouched) - used} of {len(untouched)} units are not untouched any more", code="unit.taken")


def _runs(untouched: Sequence[Unit]) -> list[tuple[int, int, int]]:
    """The numbers of units as (dataset in the task, first, last), as few as there can be."""
    runs: list[tuple[int, int, int]] = []
    dataset, first, last = -1, 0, -1
    for task_dataset_id, number in sorted((unit.task_dataset_id, unit.number) for unit in untouched):
        if task_dataset_id != dataset or number != last + 1:
            if dataset != -1:
                runs.append((dataset, first, last))
            dataset, first = task_dataset_id, number
        last = number
    return [*runs, (dataset, first, last)] if dataset != -1 else runs


async def ready(connection: Connection, task_ids: Sequence[int], ceiling: int) -> dict[int, Ready]:
    """Returns how many units of each task are ready, counted no further than the ceiling."""
    rows = sql.ready_counts(connection, task_ids=list(task_ids), ceiling=ceiling)
    return {row["task_id"]: Ready(row["n_ready"], bool(row["is_complete"])) async for row in rows}


async def hold_ranges(connection: Connection, task_id: int) -> None:
    """Holds the ranges of a task: before units and counters, as who makes jobs does."""
    await sql.hold_ranges(connection, task_id=task_id)


async def reopen_failed(connection: Connection, task_id: int, more_attempts: int) -> int:
    """Gives units without attempts left more of them; returns how many are ready again."""
    await hold_ranges(connection, task_id)
    found = [row["task_file_id"] async for row in sql.failed(connection, task_id=task_id)]
    await counters.lock_units(connection, found)
    changes = [row async for row in sql.reopen_failed(connection, task_file_ids=found, more_attempts=more_attempts)]
    changes += [row async for row in sql.reopen_ranges(connection, task_id=task_id)]
    return await counters.follow(connection, changes)


async def cancel_rest(connection: Connection, task_id: int) -> int:
    """Cancels units that no job has; returns how many."""
    await hold_ranges(connection, task_id)
    found = [row["task_file_id"] async for row in sql.open_units(connection, task_id=task_id)]
    await counters.lock_units(connection, found)
    changes = [row async for row in sql.cancel_units(connection, task_file_ids=found)]
    await sql.drop_ranges_of_rows(connection, task_id=task_id)
    changes += [row async for row in sql.cancel_ranges(connection, task_id=task_id)]
    return await counters.follow(connection, changes)


async def progress(connection: Connection, task_id: int) -> Progress:
    """Returns what decides the verdict of a task."""
    return Progress(**await sql.progress(connection, task_id=task_id))


async def reuse_input(connection: Connection, task_id: int) -> bool:
    """Lets the inputs of a task grow again; False when they are closed."""
    return bool([row async for row in sql.reuse_input(connection, task_id=task_id)])
