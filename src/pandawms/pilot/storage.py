"""Brings files from storage and puts them there: one class for each kind of url, chosen by its scheme.

A file appears under its final name only when it is whole. Every copy counts size and adler32 on its way.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable, Protocol
from urllib.parse import unquote, urlsplit

from pandawms.pilot.content import Content, StorageError, copy_counted
from pandawms.pilot.http_storage import HttpStorage
from pandawms.pilot.stop import Stop


class Storage(Protocol):
    """One kind of storage."""

    def fetch(self, url: str, target: Path, stop: Stop) -> Content:
        """Copies what is at `url` into the file `target`; raises StorageError or OSError."""

    def store(self, source: Path, url: str, mark: str, stop: Stop) -> Content:
        """Copies `source` to `url`, complete or not at all; `mark` names unfinished copies as this pilot's own."""

    def remove(self, url: str) -> None:
        """Deletes what is at `url`; nothing there is fine."""


def storage_for(url: str) -> Storage:
    """The storage of the url's scheme; raises StorageError for one that this pilot does not speak."""
    scheme = urlsplit(url).scheme
    if scheme not in _STORAGES:
        raise StorageError(f"no storage for urls of the kind {scheme!r}; this pilot speaks {', '.join(_STORAGES)}")
    return _STORAGES[scheme]()


class FileStorage:
    """A folder that the worker node sees: `file:///…`."""

    def fetch(self, url: str, target: Path, stop: Stop) -> Content:
        """Copies the file; a missing one is a StorageError."""
        try:
            source = _path(url).open("rb")
        except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
            raise StorageError(f"cannot read {url}: {error.strerror}") from error
        with source, target.open("wb") as copy:
            return copy_counted(source, copy.write, stop)

    def store(self, source: Path, url: str, mark: str, stop: Stop) -> Content:
        """Writes `<file>.part-<mark>`, has it on the disk, then renames it."""
        target = _path(url)
        part = target.with_name(f"{target.name}.part-{mark}")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with source.open("rb") as original, part.open("wb") as copy:
                content = copy_counted(original, copy.write, stop)
                copy.flush()
                os.fsync(copy.fileno())
            _must_have(part, content.size_bytes)
            part.rename(target)
        finally:
            part.unlink(missing_ok=True)
        _sync_folder(target.parent)
        return content

    def remove(self, url: str) -> None:
        """Deletes the file."""
        _path(url).unlink(missing_ok=True)


def _path(url: str) -> Path:
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise StorageError(f"{url} is not an absolute path on this machine")
    return Path(unquote(parts.path))


def _must_have(part: Path, size_bytes: int) -> None:
    found = part.stat().st_size
    if found != size_bytes:
        raise StorageError(f"{part} has {found} bytes, {size_bytes} were written")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_STORAGES: dict[str, Callable[[], Storage]] = {"file": FileStorage, "http": HttpStorage, "https": HttpStorage}
