"""The built-in catalogue: datasets, files, replicas; and the users' sandboxes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pandawms.store.database import Connection
from pandawms.store.sql import load

sql = load("catalogue")


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset or container; its counts are those of its own files."""

    dataset_id: int
    community: str
    owner_id: int
    owner: str
    scope: str
    name: str
    kind: str
    is_open: bool
    is_transient: bool
    producer_task_id: int | None
    n_files: int
    n_bytes: int
    n_events: int
    created_at: datetime
    closed_at: datetime | None

    @property
    def did(self) -> str:
        """The full name, scope:name."""
        return f"{self.scope}:{self.name}"


@dataclass(frozen=True, slots=True)
class File:
    """A file of a dataset; `adler32` is 4 bytes, `events` None where not counted."""

    file_id: int
    dataset_id: int
    scope: str
    name: str
    guid: UUID
    size_bytes: int
    adler32: bytes
    events: int | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to be registered; `endpoint_id` is None when its content is still to come, or when all are on the endpoint given with them.

    `boundary` names the group that it belongs to.
    """

    name: str
    guid: UUID
    size_bytes: int
    adler32: bytes
    events: int | None
    endpoint_id: int | None = None
    boundary: str | None = None


async def add_dataset(connection: Connection, *, community_id: int, owner_id: int, scope: str, name: str, kind: str = "dataset",
                      is_transient: bool = False, producer_task_id: int | None = None) -> int | None:  # fmt: skip
    """Makes an open dataset and returns its id; None when the name is taken."""
    row = await sql.add_dataset(
        connection, community_id=community_id, owner_id=owner_id, scope=scope, name=name, kind=kind, is_transient=is_transient,
        producer_task_id=producer_task_id,
    )  # fmt: skip
    return row and int(row["dataset_id"])


async def dataset(connection: Connection, dataset_id: int) -> Dataset | None:
    """Returns a dataset by id."""
    row = await sql.dataset(connection, dataset_id=dataset_id)
    return row and _dataset(row)


async def dataset_by_name(connection: Connection, did: str) -> Dataset | None:
    """Returns a dataset by its full name scope:name."""
    scope, _, name = did.partition(":")
    row = await sql.dataset_by_name(connection, scope=scope, name=name)
    return row and _dataset(row)


async def dataset_names(connection: Connection, community: str | None) -> tuple[str, ...]:
    """Returns the newest 500 full names in a community (None: in all), to suggest one from: to somebody who may read what is there."""
    return tuple([row["did"] async for row in sql.dataset_names(connection, community=community)])


async def open_inputs(connection: Connection) -> tuple[str, ...]:
    """Returns the names of datasets from outside that active tasks read and that may still grow."""
    return tuple([row["did"] async for row in sql.open_inputs(connection)])


async def communities(connection: Connection, dataset_ids: Sequence[int]) -> dict[int, str]:
    """Returns the community of each dataset."""
    return {row["dataset_id"]: row["community"] async for row in sql.communities(connection, dataset_ids=list(dataset_ids))}


async def lock_open_dataset(connection: Connection, dataset_id: int) -> bool:
    """Whether a dataset is open; then it stays open until the caller's transaction ends."""
    return bool(await sql.lock_open_dataset(connection, dataset_id=dataset_id))


async def close_dataset(connection: Connection, dataset_id: int) -> bool:
    """Closes a dataset; False when it was not open."""
    return await sql.close_dataset(connection, dataset_id=dataset_id) is not None


async def close_outputs(connection: Connection, task_id: int) -> list[int]:
    """Closes the open datasets that a task writes and returns their ids."""
    return [row["dataset_id"] async for row in sql.close_outputs(connection, task_id=task_id)]


async def reopen_outputs(connection: Connection, task_id: int) -> list[int]:
    """Opens the datasets of a task again, for a retry, and returns their ids."""
    return [row["dataset_id"] async for row in sql.reopen_datasets(connection, task_id=task_id)]


async def remove_empty_outputs(connection: Connection, task_id: int) -> list[int]:
    """Frees the names of output datasets that hold nothing, and returns their ids."""
    return [row["dataset_id"] async for row in sql.remove_empty_outputs(connection, task_id=task_id)]


async def add_files(connection: Connection, dataset_id: int, scope: str, new: Sequence[NewFile], endpoint_id: int | None = None) -> dict[str, int]:
    """Registers files, with a replica on their endpoint or the one given, and returns the ids of those that are new by name; known names are skipped."""
    rows = sql.add_files(
        connection, dataset_id=dataset_id, scope=scope, names=[f.name for f in new], guids=[f.guid for f in new], sizes=[f.size_bytes for f in new],
        adlers=[f.adler32 for f in new], events=[f.events for f in new],
        endpoint_ids=[endpoint_id if f.endpoint_id is None else f.endpoint_id for f in new], boundaries=[f.boundary for f in new],
    )  # fmt: skip
    return {row["name"]: row["file_id"] async for row in rows}


async def known_files(connection: Connection, dataset_id: int, names: Sequence[str]) -> dict[str, tuple[int, bytes]]:
    """Returns size and adler32 of those files that the dataset has."""
    rows = sql.known_files(connection, dataset_id=dataset_id, names=list(names))
    return {row["name"]: (row["size_bytes"], row["adler32"]) async for row in rows}


async def add_replica(connection: Connection, file_id: int, endpoint_id: int) -> None:
    """Keeps that an endpoint has a file."""
    await sql.add_replica(connection, file_id=file_id, endpoint_id=endpoint_id)


async def file(connection: Connection, file_id: int) -> File | None:
    """Returns a file by id."""
    row = await sql.file(connection, file_id=file_id)
    return row and _file(row)


async def file_by_name(connection: Connection, dataset_id: int, name: str) -> File | None:
    """Returns a file of a dataset by name."""
    row = await sql.file_by_name(connection, dataset_id=dataset_id, name=name)
    return row and _file(row)


async def replicas(connection: Connection, file_ids: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """Returns the endpoints that hold each file."""
    found: dict[int, tuple[int, ...]] = {}
    async for row in sql.replicas(connection, file_ids=list(file_ids)):
        found[row["file_id"]] = (*found.get(row["file_id"], ()), row["endpoint_id"])
    return found


async def endpoints_of_dataset(connection: Connection, dataset_id: int) -> frozenset[int]:
    """Returns the endpoints that hold at least one file of a dataset."""
    return frozenset([row["endpoint_id"] async for row in sql.endpoints_of_dataset(connection, dataset_id=dataset_id)])


async def add_sandbox(connection: Connection, sha256: bytes, owner_id: int, size_bytes: int, expires_at: datetime) -> None:
    """Keeps that a user owns a sandbox until a time; a later time wins."""
    await sql.add_sandbox(connection, sha256=sha256, owner_id=owner_id, size_bytes=size_bytes, expires_at=expires_at)


async def sandbox_size(connection: Connection, sha256: bytes, owner_id: int) -> int | None:
    """Returns the size in bytes of a user's sandbox, or None when the user has none that is not expired."""
    row = await sql.sandbox(connection, sha256=sha256, owner_id=owner_id)
    return row and int(row["size_bytes"])


async def sandbox_until(connection: Connection, sha256: bytes, owner_id: int) -> datetime | None:
    """Returns until when a user owns a sandbox, or None."""
    found: datetime | None = await sql.sandbox_until(connection, sha256=sha256, owner_id=owner_id)
    return found


async def sandbox_in_use(connection: Connection, sha256: str, queue_id: int) -> bool:
    """True when a job leased in this queue needs the sandbox."""
    return bool(await sql.sandbox_in_use(connection, sha256=sha256, queue_id=queue_id))


async def lock_sandbox(connection: Connection, sha256: bytes) -> None:
    """Makes the caller the only one who stores or deletes this content until its transaction ends."""
    await sql.lock_sandbox(connection, sha256=sha256)


async def is_owned(connection: Connection, sha256: bytes) -> bool:
    """Whether anybody has this sandbox."""
    return bool(await sql.is_owned(connection, sha256=sha256))


async def expired_sandboxes(connection: Connection, n: int) -> list[bytes]:
    """Returns up to n contents that expired for somebody and that no active task needs."""
    return [row["sha256"] async for row in sql.expired_sandboxes(connection, n=n)]


async def forget_sandbox(connection: Connection, sha256: bytes) -> bool:
    """Forgets who had a sandbox that expired; the caller holds it. Returns whether nobody has it any more."""
    await sql.forget_sandbox(connection, sha256=sha256)
    return not await is_owned(connection, sha256)


def _dataset(row: Any) -> Dataset:
    return Dataset(**{name: row[name] for name in Dataset.__dataclass_fields__})


def _file(row: Any) -> File:
    return File(**{name: row[name] for name in File.__dataclass_fields__})
