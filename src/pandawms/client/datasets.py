"""Datasets and files: make, register, upload, list, download with verification."""

from __future__ import annotations

import zlib
from pathlib import Path

from pandawms.client.attempts import RetryPolicy, opened, unreachable
from pandawms.client.calls import Call, get, segment, send
from pandawms.client.resource import Resource, Runner, endpoint, paged, scripted
from pandawms.client.script import Lost, Pause, Read, Request, Script
from pandawms.domain.errors import Invalid, Unavailable
from pandawms.wire.dataset import Dataset, DatasetRequest, File, FileRegistration, FileRegistrations, RegistrationAnswer
from pandawms.wire.page import MAX_PAGE_SIZE, Page

DatasetRef = int | str
"""A dataset by its id, or as scope:name."""

PART_BYTES = 1024 * 1024
TRANSFER_SECONDS = 300.0
"""Longest silence of the server during an upload or download."""


def _get(dataset: DatasetRef) -> Call[Dataset]:
    """One dataset."""
    return get(Dataset, f"/datasets/{segment(dataset)}")


def _page(
    *,
    scope: str | None = None,
    name: str | None = None,
    status: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Call[Page[Dataset]]:
    """One page of datasets, newest first."""
    query = {"scope": scope, "name": name, "status": status, "limit": limit, "cursor": cursor}
    return get(Page[Dataset], "/datasets", query)


def _create(request: DatasetRequest) -> Call[Dataset]:
    """A new, open dataset; raises Conflict when there is one of this name."""
    return send("POST", Dataset, "/datasets", request)


def _close(dataset: DatasetRef) -> Call[Dataset]:
    """Closes a dataset: no files are added any more, and tasks that read it can end."""
    return send("POST", Dataset, f"/datasets/{segment(dataset)}/close")


def _files(dataset: DatasetRef, *, limit: int = MAX_PAGE_SIZE) -> Call[Page[File]]:
    """The files of a dataset."""
    return get(Page[File], f"/datasets/{segment(dataset)}/files", {"limit": limit})


def _register(dataset: DatasetRef, files: tuple[FileRegistration, ...]) -> Call[RegistrationAnswer]:
    """Adds files in bulk (at most 10,000): all or none."""
    return send("POST", RegistrationAnswer, f"/datasets/{segment(dataset)}/files", FileRegistrations(files=files))


def upload_call(dataset: DatasetRef, name: str, path: Path) -> Call[File]:
    """Sends the content of a registered file; the server verifies size and checksum. Sending it twice is harmless."""
    target = f"/datasets/{segment(dataset)}/files/{segment(name)}/content"
    headers = (("Content-Type", "application/octet-stream"),)
    request = Request("PUT", target, headers=headers, body=path, read_seconds=TRANSFER_SECONDS)
    return Call(request, send("PUT", File, target).read)


class Datasets(Resource[Runner]):
    """The datasets of the API."""

    get = endpoint(_get)
    page = endpoint(_page)
    list = paged(_page)
    create = endpoint(_create)
    close = endpoint(_close)
    files = paged(_files)
    register = endpoint(_register)
    upload = endpoint(upload_call)


def adler32_of(path: Path) -> str:
    """The Adler-32 of a file in 8 hexadecimal digits."""
    value = 1
    with path.open("rb") as file:
        while part := file.read(PART_BYTES):
            value = zlib.adler32(part, value)
    return f"{value:08x}"


def _get_file(file_id: int) -> Call[File]:
    """One file, with its copies."""
    return get(File, f"/files/{file_id}")


def _download(policy: RetryPolicy, file: File, path: Path) -> Script[None]:
    """Fetches a file to `path`, verified by size and Adler-32; nothing is left at `path` unless all of it is right.

    A broken transfer starts again (three times); raises Invalid with code checksum when the content differs each time.
    """
    partial = path.with_name(f".{path.name}.part")
    try:
        for attempt in range(3):
            complaint = yield from _fetched(policy, file, partial)
            if complaint is None:
                partial.replace(path)
                return
            yield Pause(policy.pause_seconds(attempt))
    finally:
        partial.unlink(missing_ok=True)
    raise complaint or unreachable("download")


def _fetched(policy: RetryPolicy, file: File, partial: Path) -> Script[Invalid | Unavailable | None]:
    request = Request("GET", f"/files/{file.file_id}/content", read_seconds=TRANSFER_SECONDS)
    yield from opened(request, policy)
    adler, size_bytes = 1, 0
    with partial.open("wb") as target:
        while True:
            try:
                part: bytes = yield Read()
            except Lost as error:
                return unreachable(str(error))
            if not part:
                break
            target.write(part)
            adler, size_bytes = zlib.adler32(part, adler), size_bytes + len(part)
    return _complaint(file, size_bytes, f"{adler:08x}")


def _complaint(file: File, size_bytes: int, adler32: str) -> Invalid | None:
    wanted = (file.size_bytes if file.size_bytes is not None else size_bytes, file.adler32 or adler32)
    if wanted == (size_bytes, adler32):
        return None
    return Invalid(
        f"{file.name} came with {size_bytes} bytes and checksum {adler32}, expected {wanted[0]} and {wanted[1]}",
        code="checksum",
        field=file.name,
        value=adler32,
        allowed=wanted[1],
        hint="the stored copy is damaged: tell the operator of its storage",
    )


class Files(Resource[Runner]):
    """The files of the API."""

    get = endpoint(_get_file)
    download = scripted(_download)
