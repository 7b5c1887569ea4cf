"""The files of inputs: which datasets an input reads, which of their files are units of the task, and which go along. Runs inside the database."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pandawms.store import counters
from pandawms.store.database import Connection
from pandawms.store.sql import load
from pandawms.store.units import RANGE
from pandawms.wire.selection import Choice, Counted, Cut

sql = load("listing")


class Listed(NamedTuple):
    """What a listing added, whether the input is complete now, and how many of its files have no known events (and one of them)."""

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
    ordered: dict[str, Any]


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
    found = [row async for row in sql.find_sources(connection, task_id=task_id)]
    if found:
        await sql.tie(connection, task_dataset_ids=[row["task_dataset_id"] for row in found], dataset_ids=[row["dataset_id"] for row in found])
    producers = [row["producer_task_id"] for row in found if row["producer_task_id"] is not None]
    if producers and set(producers) != {task_id}:
        await sql.follow_producer(connection, task_id=task_id, producer_task_id=producers[0])
    return [row["did"] async for row in sql.missing(connection, task_id=task_id)]


async def waiting_found(connection: Connection, n: int) -> list[int]:
    """Returns tasks that wait for a dataset which exists now, for the caller alone until its transaction ends."""
    return [row["task_id"] async for row in sql.waiting_found(connection, n=n)]


async def unlisted(connection: Connection, n: int) -> list[int]:
    """Returns ready tasks whose primary input was never listed, for the caller alone until its transaction ends."""
    return [row["task_id"] async for row in sql.unlisted(connection, n=n)]


async def list_files(connection: Connection, task_id: int, task_dataset_id: int, choice: Choice, cut: Cut, *, grows: bool = True) -> Listed:
    """Makes units of the files of a primary input that are none yet; `grows` is false when nothing comes after them.

    Of one open dataset from which all is taken as it comes, only files with ids above the last one are looked at, as long as that accounts for all that came:
    ids are given before transactions end, so that a file may come behind a later one. All are looked at when the dataset is closed.
    """
    await hold_input(connection, task_dataset_id)
    await sql.prepare(connection)
    given = {
        "task_id": task_id, "task_dataset_id": task_dataset_id, "width": RANGE, "max_attempts": cut.max_attempts, "events_per_unit": cut.events_per_unit,
        "name_field": cut.name_field, "separator": cut.separator, "by_attribute": cut.by_attribute, **choice.as_arguments(),
    }  # fmt: skip
    began = time.monotonic()
    seen = await sql.seen(connection, task_dataset_id=task_dataset_id) if grows and choice.is_as_listed else None
    found = [await sql.list_files(connection, after=0 if seen is None else seen["seen_to"], **given)]
    if seen is not None and seen["n_seen"] + found[0]["n_looked_at"] != found[0]["n_there"]:
        found.append(await sql.list_files(connection, after=0, **given))
    last, unknown = found[-1], [row["unknown"] for row in found if row["unknown"] is not None]
    took = time.monotonic() - began if seen is None else 0.0  # before the wait for the counters
    await counters.lock_inputs(connection, [task_dataset_id])
    is_complete = await sql.note_listed(
        connection, task_dataset_id=task_dataset_id, n_units=_sum(found, "n_units"), n_events=_sum(found, "n_events"), n_seen=last["n_there"],
        seen_to=last["highest"] if last["highest"] is not None or seen is None else seen["seen_to"], grows=grows,
        took_seconds=took,
    )  # fmt: skip
    return Listed(_sum(found, "n_units"), bool(is_complete), _sum(found, "n_files"), _sum(found, "n_unknown"), min(unknown, default=None))


def _sum(rows: Sequence[Mapping[str, Any]], name: str) -> int:
    return sum(int(row[name]) for row in rows)


async def note_seen(connection: Connection, task_dataset_id: int, *, grows: bool = True) -> bool:
    """Notes what an input has now, of which nothing is made a unit; returns whether it is complete."""
    return bool(await sql.note_seen(connection, task_dataset_id=task_dataset_id, grows=grows))


async def hold_input(connection: Connection, task_dataset_id: int) -> None:
    """Makes the caller the only one who lists this input until its transaction ends."""
    await sql.hold_input(connection, task_dataset_id=task_dataset_id)


async def new_secondary_files(connection: Connection, task_dataset_id: int, choice: Choice) -> list[SecondaryFile]:
    """Returns those that have no number yet, in the order of their use."""
    found = await dataset_ids(connection, task_dataset_id)
    return await chosen_files(connection, found, choice, seed=task_dataset_id, unless_numbered_by=task_dataset_id)


async def chosen_files(connection: Connection, dataset_ids: Sequence[int], choice: Choice, *, seed: int = 0, most: int | None = None,
                       unless_numbered_by: int | None = None) -> list[SecondaryFile]:  # fmt: skip
    """Returns the files that an input of these datasets takes, in its order, `most` at most; `seed` makes the random order another one.

    Of those that are taken, the ones that have a number in the secondary input `unless_numbered_by` are left out.
    """
    rows = sql.chosen_files(connection, dataset_ids=list(dataset_ids), seed=seed, most=most, unless_numbered_by=unless_numbered_by, **choice.as_arguments())
    return [SecondaryFile(*row) async for row in rows]


async def growing(connection: Connection, statuses: Collection[str], n: int) -> list[Growing]:
    """Returns inputs of tasks in these statuses that have grown or closed; each is to be held before it is listed again."""
    return [Growing(**row) async for row in sql.growing(connection, statuses=sorted(statuses), n=n, only=None)]


async def hold_growing(connection: Connection, statuses: Collection[str], task_dataset_id: int) -> Growing | None:
    """Returns such an input as it is now, for the caller alone until its transaction ends; None when it has been listed, or somebody lists it now."""
    if not await sql.try_hold_input(connection, task_dataset_id=task_dataset_id):
        return None
    found = [Growing(**row) async for row in sql.growing(connection, statuses=sorted(statuses), n=1, only=task_dataset_id)]
    return found[0] if found else None


async def put_off(connection: Connection, task_dataset_id: int, seconds: float) -> None:
    """Lets an input that could not be listed be listed again after some time only, as long as its datasets are open."""
    await sql.put_off(connection, task_dataset_id=task_dataset_id, seconds=seconds)


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
