"""Copying bytes while counting what tells whether two files are the same."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Callable

from pandawms.pilot.stop import Stop

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Content:
    """Size and adler32 (8 hexadecimal digits, as RFC 1950 computes it)."""

    size_bytes: int
    adler32: str


class StorageError(Exception):
    """A copy failed, in a sentence. A full disk is not this but an OSError with ENOSPC or EDQUOT."""


class StorageFull(StorageError):
    """A storage has no room, and says so in its own way."""


class CountedReader:
    """The chunks of a stream, counted as they pass; raises `Stopped` between two chunks."""

    def __init__(self, source: IO[bytes], stop: Stop) -> None:
        self._source = source
        self._stop = stop
        self._size_bytes = 0
        self._checksum = 1

    def __iter__(self) -> Iterator[bytes]:
        while True:
            self._stop.check()
            data = self._source.read(_CHUNK_BYTES)
            if not data:
                return
            self._size_bytes += len(data)
            self._checksum = zlib.adler32(data, self._checksum)
            yield data

    def content(self) -> Content:
        """What has passed so far."""
        return Content(self._size_bytes, f"{self._checksum:08x}")


def copy_counted(source: IO[bytes], write: Callable[[bytes], object], stop: Stop) -> Content:
    """Copies to the end of `source` and says what it was."""
    reader = CountedReader(source, stop)
    for data in reader:
        write(data)
    return reader.content()
