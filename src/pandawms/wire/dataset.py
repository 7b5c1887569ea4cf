"""Datasets and files on the wire: the catalogue, registration in bulk, and upload."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from pandawms.wire.names import Adler32, DatasetLocalName, FileName, Guid, Name, ScopeName

MAX_FILES_PER_REGISTRATION = 10_000


class DatasetRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new, open dataset. The scope is the caller's own (user.<owner>) unless given."""

    name: DatasetLocalName
    scope: ScopeName | None = None
    community: Name | None = None
    metadata: dict[str, str] = {}


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset: files may be added while `is_open`. Sizes and events are sums over its files."""

    dataset_id: int
    scope: str
    name: str
    status: str
    is_open: bool
    n_files: int
    size_bytes: int
    created_at: datetime
    owner: str = ""
    community: str = ""
    n_events: int | None = None
    task_id: int | None = None
    stream: str | None = None
    closed_at: datetime | None = None


class FileRegistration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file to be added: where it lies already (`url`, operators only) or, without url, where an upload will follow."""

    name: FileName
    size_bytes: Annotated[int, Meta(ge=0)]
    adler32: Adler32
    guid: Guid | None = None
    n_events: Annotated[int, Meta(ge=0)] | None = None
    boundary: Annotated[str, Meta(max_length=100, description="The group that it belongs to, for tasks that split by it.")] | None = None
    url: Annotated[str, Meta(max_length=4096)] | None = None


class FileRegistrations(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Files to be added in one go: all of them or none. A file that is there already with equal checksum is not an error."""

    files: Annotated[tuple[FileRegistration, ...], Meta(min_length=1, max_length=MAX_FILES_PER_REGISTRATION)]


class RegistrationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How many files were added now and how many had been there before."""

    added: int
    known: int


class Replica(msgspec.Struct, frozen=True, kw_only=True):
    """A copy of a file on a storage endpoint."""

    endpoint: str
    url: str
    status: str = "available"


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the catalogue, with its copies when it is asked for alone."""

    file_id: int
    dataset_id: int
    scope: str
    name: str
    status: str
    size_bytes: int | None = None
    adler32: str | None = None
    guid: str | None = None
    n_events: int | None = None
    created_at: datetime | None = None
    job_id: int | None = None
    replicas: tuple[Replica, ...] = ()
