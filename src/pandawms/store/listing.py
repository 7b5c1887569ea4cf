"""The files of inputs: which datasets an input reads, which of their files are units of the task, and which go along. Runs inside the database."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pandawms.store.database import Connection
from pandawms.store.sql import load
from pandawms.store.units import RANGE
from pandawms.wire.selection import Choice, Counted, Cut

sql = load("listing")


class Listed(NamedTuple):
    """What a listing added, how many of its files have no known events (and one of them), and whether the input is complete now."""

    n_units: int
    is_complete: bool
    n_files: int
    n_unknown: int
    unknown: str | None


class Reach(NamedTuple):
    """How far a pseudo input is listed: its last number, and the event after its last one (None where it has none)."""

    last_number: int
    next_event: int | None


class SecondaryFile(NamedTuple):
    """A file of an input, in the order in which the input is used; `boundary` is the group that the catalogue tells."""

    file_id: int
    name: str
    size_bytes: int
    events: int | None
    boundary: str | None = None


@dataclass(frozen=True, slots=True)
class Growing:
    """An input whose datasets have grown or closed since it was listed."""

    task_dataset_id: int
    task_id: int
    stream: str
    is_master: bool
    document: dict[str, Any]


async def add_sources(connection: Connection, task_dataset_id: int, sources: Sequence[tuple[str, int | None]]) -> None:
    """Keeps the datasets of an input in their order, by full name and id; without an id it does not exist yet."""
    await sql.add_sources(connection, task_dataset_id=task_dataset_id, dids=[did for did, _ in sources], dataset_ids=[n for _, n in sources])


async def sources(connection: Connection, task_dataset_id: int) -> list[str]:
    """Returns the full names of the datasets of an input, where it has several or one that did not exist at submit."""
    return [row["did"] async for row in sql.sources(connection, task_dataset_id=task_dataset_id)]


async def drop_missing(connection: Connection, task_dataset_id: int) -> None:
    """Forgets the datasets of an input that do not exist."""
    await sql.drop_missing(connection, task_dataset_id=task_dataset_id)


async def complete_numbers(connection: Connection, task_dataset_id: int) -> None:
    """Says that no more numbers of a pseudo input will come."""
    await sql.complete_numbers(connection, task_dataset_id=task_dataset_id)


async def find_missing(connection: Connection, task_id: int) -> list[str]:
    """Ties what the task waited for and what exists now; returns the full names of what is missing still."""
    await sql.find_sources(connection, task_id=task_id)
    return [row["did"] async for row in sql.missing(connection, task_id=task_id)]


async def waiting_found(connection: Connection, n: int) -> list[int]:
    """Returns tasks that wait for a dataset which exists now, for the caller alone until its transaction ends."""
    return [row["task_id"] async for row in sql.waiting_found(connection, n=n)]


async def unlisted(connection: Connection, n: int) -> list[int]:
    """Returns ready tasks whose primary input was never listed, for the caller alone until its transaction ends."""
    return [row["task_id"] async for row in sql.unlisted(connection, n=n)]


async def list_files(connection: Connection, task_id: int, task_dataset_id: int, choice: Choice, cut: Cut, *, grows: bool = True) -> Listed:
    """Makes units of the files of a primary input that are none yet; `grows` is false when nothing comes after them."""
    await sql.hold_input(connection, task_dataset_id=task_dataset_id)
    await sql.sort_in_memory(connection)
    row = await sql.list_files(
        connection, task_id=task_id, task_dataset_id=task_dataset_id, width=RANGE, grows=grows, max_attempts=cut.max_attempts,
        events_per_unit=cut.events_per_unit, name_field=cut.name_field, separator=cut.separator, by_attribute=cut.by_attribute, **choice.as_arguments(),
    )  # fmt: skip
    return Listed(**row)


async def note_secondary(connection: Connection, task_dataset_id: int, *, grows: bool = True) -> bool:
    """Notes what a secondary input has now; returns whether it is complete."""
    return bool(await sql.note_secondary(connection, task_dataset_id=task_dataset_id, grows=grows))


async def secondary_files(connection: Connection, task_dataset_id: int, choice: Choice) -> list[SecondaryFile]:
    """Returns the files of a secondary input in the order of their use."""
    return await chosen_files(connection, await dataset_ids(connection, task_dataset_id), choice, seed=task_dataset_id)


async def chosen_files(connection: Connection, dataset_ids: Sequence[int], choice: Choice, *, seed: int = 0, most: int | None = None) -> list[SecondaryFile]:
    """Returns the files that an input of these datasets takes, in its order, `most` at most; `seed` makes the random order another one."""
    rows = sql.chosen_files(connection, dataset_ids=list(dataset_ids), seed=seed, most=most, **choice.as_arguments())
    return [SecondaryFile(*row) async for row in rows]


async def growing(connection: Connection, statuses: Collection[str], n: int) -> list[Growing]:
    """Returns inputs of tasks in these statuses that have grown or closed, for the caller alone until its transaction ends."""
    return [Growing(**row) async for row in sql.growing(connection, statuses=sorted(statuses), n=n)]


async def open_sources(connection: Connection) -> tuple[str, ...]:
    """Returns the names of datasets from outside that tasks read beside the first one of an input, or wait for."""
    return tuple([row["did"] async for row in sql.open_sources(connection)])


async def endpoints(connection: Connection, task_id: int) -> frozenset[int]:
    """Returns the endpoints that hold at least one file of an input of the task."""
    return frozenset([row["endpoint_id"] async for row in sql.endpoints(connection, task_id=task_id)])


async def count_files(connection: Connection, dataset_ids: Collection[int], choice: Choice) -> Counted:
    """Returns what a choice finds in datasets, as if they were one."""
    given = {name: choice.as_arguments()[name] for name in ("include", "exclude", "names", "events_per_file")}
    return Counted(**await sql.count_files(connection, dataset_ids=sorted(dataset_ids), **given)).limited(choice)


async def dataset_ids(connection: Connection, task_dataset_id: int) -> list[int]:
    """Returns the datasets that an input reads, containers replaced by what is in them."""
    return [row["dataset_id"] async for row in sql.dataset_ids(connection, task_dataset_id=task_dataset_id)]


async def reach(connection: Connection, task_dataset_id: int) -> Reach:
    """Returns how far a pseudo input is listed."""
    return Reach(**await sql.reach(connection, task_dataset_id=task_dataset_id))
