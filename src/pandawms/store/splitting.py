"""What the split of a task needs beside its units: groups and raised needs, how far its jobs have come, files that go along, refusals."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pandawms.store import counters, units
from pandawms.store.database import Connection
from pandawms.store.sql import load
from pandawms.store.units import Unit

sql = load("splitting")


class Traits(NamedTuple):
    """A unit's group, and what retry rules raised for its next job (None: nothing)."""

    boundary: str | None
    memory_mb: int | None
    wall_seconds: int | None
    units_per_job: int | None


class Course(NamedTuple):
    """How many first attempts a task has had, how many units (up to 1,000) wait for another one, and whether its scouts were judged."""

    n_first: int
    n_again: int
    is_judged: bool


@dataclass(frozen=True, slots=True)
class SecondaryRow:
    """A secondary input: how many files have a number, whether more may come, and how many places jobs were given."""

    task_dataset_id: int
    stream: str
    is_complete: bool
    n_given: int
    n_files: int


class NumberedFile(NamedTuple):
    """A file of a secondary input."""

    number: int
    file_id: int
    size_bytes: int


class Refusal(NamedTuple):
    """Why no job can be made of units, and the limit that each of them passes by its value (None: no limit)."""

    code: str
    text: str
    limit: float | None = None


async def hold(connection: Connection, task_id: int) -> None:
    """Makes the caller the only one who counts the jobs of this task until its transaction ends. To be taken before anything else."""
    await sql.hold(connection, task_id=task_id)


async def traits(connection: Connection, task_file_ids: Collection[int]) -> dict[int, Traits]:
    """Returns what the split asks of units beyond their size."""
    if not task_file_ids:
        return {}
    return {row[0]: Traits(*row[1:]) async for row in sql.traits(connection, task_file_ids=list(task_file_ids))}


async def course(connection: Connection, task_id: int) -> Course:
    """Returns how far the jobs of a task have come."""
    return Course(*await sql.course(connection, task_id=task_id))


async def count_first(connection: Connection, task_id: int, n_first: int) -> None:
    """Keeps how many first attempts at jobs a task has had, for the next look at its course; the caller alone makes jobs of it."""
    await sql.count_first(connection, task_id=task_id, n_first=n_first)


async def forget_first(connection: Connection, task_id: int, unit_ids: Sequence[int]) -> None:
    """Takes first attempts of which nothing is left, since these units left the task, out of the kept number of first attempts."""
    await sql.forget_first(connection, task_id=task_id, unit_ids=list(unit_ids))


async def number_files(connection: Connection, task_dataset_id: int, file_ids: Sequence[int]) -> None:
    """Numbers the files of a secondary input that have none, in place of lost ones and then after those that have one; the caller holds the input."""
    if file_ids:
        await sql.number_files(connection, task_dataset_id=task_dataset_id, file_ids=list(file_ids))


async def vacate(connection: Connection, task_id: int) -> list[int]:
    """Lets lost files of the secondary inputs of a task give up their numbers; returns the inputs that had some. Other jobs of the task wait until the
    transaction ends."""
    await secondaries(connection, task_id)
    return [row["task_dataset_id"] async for row in sql.vacate(connection, task_id=task_id)]


async def vacant(connection: Connection, task_dataset_id: int) -> frozenset[int]:
    """Returns the numbers of a secondary input that have no file now."""
    return frozenset([row["number"] async for row in sql.vacant(connection, task_dataset_id=task_dataset_id)])


async def secondaries(connection: Connection, task_id: int) -> list[SecondaryRow]:
    """Returns the secondary inputs of a task in their order, for the caller alone until its transaction ends."""
    return [SecondaryRow(**row) async for row in sql.secondaries(connection, task_id=task_id)]


async def numbered(connection: Connection, task_dataset_id: int, numbers: Collection[int]) -> dict[int, NumberedFile]:
    """Returns these files of a secondary input, by number."""
    return {row["number"]: NumberedFile(*row) async for row in sql.numbered(connection, task_dataset_id=task_dataset_id, numbers=list(numbers))}


async def kept(connection: Connection, task_dataset_id: int, job_ids: Collection[int]) -> dict[int, list[int]]:
    """Returns the numbers of the files of a secondary input that these jobs had; jobs whose files left the database are not among them."""
    found: dict[int, list[int]] = {}
    if job_ids:
        rows = sql.kept(connection, task_dataset_id=task_dataset_id, job_ids=list(job_ids), low=min(job_ids), high=max(job_ids))
        async for row in rows:
            found.setdefault(row["job_id"], []).append(row["number"])
    return found


async def give(connection: Connection, n_given: Mapping[int, int]) -> None:
    """Notes how many places of secondary inputs (by id) jobs were given."""
    if n_given:
        await sql.give(connection, task_dataset_ids=list(n_given), n_given=list(n_given.values()))


async def untried_of_group(connection: Connection, task_dataset_id: int, group: str, after: int, n: int) -> list[Unit]:
    """Returns up to n ready units of a group that no job has had, with numbers above `after`, in their order; without their sizes."""
    rows = sql.untried_of_group(connection, task_dataset_id=task_dataset_id, boundary=group, after=after, n=n)
    return [Unit(*row) async for row in rows]


async def refuse(connection: Connection, task_id: int, why: Refusal, refused: Sequence[tuple[Unit, float | None]]) -> int:
    """Makes ready units fail for good, each with its value; returns how many."""
    await units.use(connection, [unit for unit, _ in refused if unit.is_ranged])
    same = {"code": why.code, "text": why.text, "limit_value": why.limit}
    with_row = [(unit.task_file_id, value) for unit, value in refused if unit.task_file_id is not None]
    n = 0
    if with_row:
        changes = sql.refuse(connection, task_file_ids=[i for i, _ in with_row], values=[value for _, value in with_row], **same)
        n += await counters.follow(connection, [row async for row in changes])
    unborn = [(unit, value) for unit, value in refused if unit.task_file_id is None]
    if unborn:
        n += int(await sql.refuse_unborn(
            connection, task_id=task_id, task_dataset_id=unborn[0][0].task_dataset_id, numbers=[unit.number for unit, _ in unborn],
            first_events=[unit.first_event for unit, _ in unborn], n_events=[unit.n_events for unit, _ in unborn],
            values=[value for _, value in unborn], **same,
        ))  # fmt: skip
    return n
