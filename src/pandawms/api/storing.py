"""Files of datasets that the server takes, keeps and gives out by itself, on storage endpoints that are local folders."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import msgspec

from pandawms.api.core import Core
from pandawms.data import blobs
from pandawms.data.storage import local_path
from pandawms.domain.errors import Conflict, Denied, Invalid, NotFound, PandaError, Unavailable
from pandawms.store import catalogue, places
from pandawms.store.catalogue import Dataset, File, NewFile
from pandawms.store.database import Connection
from pandawms.store.places import Endpoint
from pandawms.wire.dataset import FileRegistration
from pandawms.wire.names import FILE_NAME_RULE, FileName


class _Named(msgspec.Struct):
    name: FileName


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file is or goes: on this endpoint, under this path."""

    endpoint: Endpoint
    path: Path


def checked_name(name: str) -> str:
    """Returns the name when a file may have it. Raises Invalid otherwise, so that no path ever leaves its folder."""
    try:
        return msgspec.convert({"name": name}, _Named).name
    except msgspec.ValidationError:
        raise Invalid(
            f"{name[:250]!r} cannot be the name of a file", code="bad_name", field="name", value=name[:250],
            allowed=FILE_NAME_RULE, hint="rename it",
        ) from None  # fmt: skip


def place(core: Core, endpoint: Endpoint, scope: str, name: str) -> Place:
    """Returns where a file is on an endpoint. Raises Unavailable when the server cannot reach it."""
    return Place(endpoint, local_path(core.services.data_manager.url(endpoint.root_url, scope, name)))


async def write_endpoint(connection: Connection) -> Endpoint:
    """Returns the endpoint that takes uploads: the first that is local and writable. Raises Unavailable when there is none."""
    for endpoint in await places.endpoints(connection):
        if endpoint.kind == "local" and endpoint.can_write and not endpoint.is_tape:
            return endpoint
    raise Unavailable("no storage takes uploads", code="storage.none", hint="an operator adds a local endpoint")


async def store(core: Core, dataset: Dataset, name: str, source: AsyncIterator[bytes]) -> File:
    """Keeps the content of a file of an open dataset, whole or not at all, and returns the file.

    A file that was registered before must have the size and checksum that were told; one that is there already with equal content is a success.
    Raises Conflict when the dataset is closed or the content is another.
    """
    async with core.pool.acquire() as connection:
        endpoint = await write_endpoint(connection)
        expected = await catalogue.file_by_name(connection, dataset.dataset_id, checked_name(name))
    if expected is None and not dataset.is_open:
        raise closed(dataset)
    target = place(core, endpoint, dataset.scope, name)
    part = target.path.with_name(f".{target.path.name}.{uuid4().hex}.upload")
    try:
        written = await blobs.write(part, source, core.options.max_upload_bytes)
        return await _keep(core, dataset, name, written, Place(endpoint, target.path), part)
    finally:
        part.unlink(missing_ok=True)


async def _keep(core: Core, dataset: Dataset, name: str, written: blobs.Written, target: Place, part: Path) -> File:
    """Registers and renames. The row is locked first, so that of two uploads of one name with different content one loses before it is in place."""
    async with core.pool.acquire() as connection, connection.transaction():
        is_open = await catalogue.lock_open_dataset(connection, dataset.dataset_id)
        found = await catalogue.file_by_name(connection, dataset.dataset_id, name)
        if found is None:
            if not is_open:
                raise closed(dataset)
            new = NewFile(name, uuid4(), written.size_bytes, written.adler32, None, None)
            await catalogue.add_files(connection, dataset.dataset_id, dataset.scope, [new])
            found = await catalogue.file_by_name(connection, dataset.dataset_id, name)
        assert found is not None, "it was registered now or before"
        _same(name, (found.size_bytes, found.adler32), (written.size_bytes, written.adler32))
        os.replace(part, target.path)
        await catalogue.add_replica(connection, found.file_id, target.endpoint.endpoint_id)
    return found


def _same(name: str, expected: tuple[int, bytes], found: tuple[int, bytes]) -> None:
    if expected != found:
        raise Conflict(
            f"{name} is known with {expected[0]} bytes and checksum {expected[1].hex()}", code="file.differs", field=name,
            value=f"{found[0]} bytes, {found[1].hex()}", allowed=f"{expected[0]} bytes, {expected[1].hex()}",
            hint="a file never changes: take another name for other content",
        )  # fmt: skip


def closed(dataset: Dataset) -> PandaError:
    """The error for a file that comes after its dataset was closed."""
    return Conflict(
        f"dataset {dataset.did} is closed", code="dataset.closed", field="dataset", value=dataset.did, allowed="an open dataset", hint="make a new dataset"
    )


async def register(core: Core, connection: Connection, dataset: Dataset, files: tuple[FileRegistration, ...], *, is_operator: bool) -> int:
    """Registers files in bulk, all or none, and returns how many are new; the caller commits.

    Raises Conflict when the dataset is closed or knows a name with other content, Denied when a user says where a file lies.
    """
    if not await catalogue.lock_open_dataset(connection, dataset.dataset_id):
        raise closed(dataset)
    _refuse_repeated(files)
    endpoints = await places.endpoints(connection)
    new = [_registration(core, dataset, n, file, endpoints, is_operator=is_operator) for n, file in enumerate(files)]
    known = await catalogue.known_files(connection, dataset.dataset_id, [file.name for file in new])
    for file in new:
        _same(file.name, known.get(file.name, (file.size_bytes, file.adler32)), (file.size_bytes, file.adler32))
    return len(await catalogue.add_files(connection, dataset.dataset_id, dataset.scope, new))


def _refuse_repeated(files: tuple[FileRegistration, ...]) -> None:
    seen: set[str] = set()
    for n, file in enumerate(files):
        if file.name in seen:
            raise Invalid(f"{file.name} is named twice", code="name_collides", field=f"files[{n}].name", value=file.name, hint="name each file once")
        seen.add(file.name)


def _registration(core: Core, dataset: Dataset, n: int, file: FileRegistration, endpoints: tuple[Endpoint, ...], *, is_operator: bool) -> NewFile:
    guid = _guid(f"files[{n}].guid", file.guid)
    endpoint_id = None
    if file.url is not None:
        if not is_operator:
            raise Denied(
                "only operators say where files lie", code="scope", field=f"files[{n}].url", value=file.url, allowed="no url", hint="upload the content"
            )
        endpoint_id = _endpoint_of(core, dataset, n, file, endpoints)
    return NewFile(file.name, guid, file.size_bytes, bytes.fromhex(file.adler32), file.n_events, endpoint_id, file.boundary)


def _guid(field: str, text: str | None) -> UUID:
    try:
        return UUID(text) if text is not None else uuid4()
    except ValueError:
        raise Invalid(f"{text} is no GUID", code="not_allowed", field=field, value=text, allowed="32 hexadecimal digits", hint="leave it out") from None


def _endpoint_of(core: Core, dataset: Dataset, n: int, file: FileRegistration, endpoints: tuple[Endpoint, ...]) -> int:
    """The endpoint on which the file lies at the place that follows from its name."""
    right = {core.services.data_manager.url(endpoint.root_url, dataset.scope, file.name): endpoint.endpoint_id for endpoint in endpoints}
    if file.url not in right:
        raise Invalid(
            f"{file.name} cannot lie there", code="file.place", field=f"files[{n}].url", value=file.url, allowed=" or ".join(right) or "no endpoint is known",
            hint="places follow from scope and name: move the file there first",
        )  # fmt: skip
    return right[file.url]


async def readable(core: Core, connection: Connection, file: File) -> Place:
    """Returns where the server can read a file. Raises NotFound when no storage has it (yet), Unavailable when the server reaches none that does."""
    holding = (await catalogue.replicas(connection, [file.file_id])).get(file.file_id, ())
    for endpoint in await places.endpoints(connection):
        if endpoint.endpoint_id in holding and endpoint.kind == "local" and endpoint.can_read:
            found = place(core, endpoint, file.scope, file.name)
            if found.path.exists():
                return found
    if holding:
        raise Unavailable(f"{file.name} is not in reach", code="file.unreachable", field="file_id", value=file.file_id, hint="its storage is away; try later")
    raise NotFound(f"{file.name} has no content yet", code="file.no_content", field="file_id", value=file.file_id, hint="upload it")
