"""What the pilot says: one JSON line a transition; and the packing of a job's log folder."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Mapping
from contextlib import suppress
from io import FileIO
from pathlib import Path

from pandawms.pilot.kept import Kept, shortened

LOG_LIMIT_BYTES = 10 << 20
JOB_LOG = "pilot.log"
_MEMORY_BYTES = 1 << 20


class Log:
    """Event lines (`{"at": …, "event": "job.claimed", "job_id": 7}`) to a stream, and to the file of the present job.

    Both are written without a buffer, so that what a full disk does not take is known at once.
    """

    def __init__(self, stream: FileIO | None) -> None:
        self._stream = stream
        self._file: _JobFile | None = None

    def info(self, event: str, **fields: object) -> None:
        """One line; a full disk or a closed stream loses it and nothing else, and the job's log keeps it in memory."""
        line = json.dumps({"at": round(time.time(), 3), "event": event, **fields}, default=str).encode() + b"\n"
        if self._stream is not None:
            _write(self._stream, line)
        if self._file is not None:
            self._file.write(line)

    def follow(self, path: Path | None) -> None:
        """From now on lines go to this file, too; None ends that."""
        if self._file is not None:
            self._file.close()
        self._file = None if path is None else _JobFile(path)

    def kept(self) -> Kept:
        """How the present job's lines stand in their file."""
        return Kept() if self._file is None else self._file.kept()


class _JobFile:
    """A file that goes on in memory, up to 1 MiB, from the first line that its disk does not take."""

    def __init__(self, path: Path) -> None:
        self._written_bytes = 0
        self._left_out_bytes = 0
        self._unwritten = b""
        try:
            self._file: FileIO | None = path.open("ab", buffering=0)
        except OSError:
            self._file = None

    def write(self, line: bytes) -> None:
        """Appends a line: to the disk as far as it takes it, the rest to memory."""
        if self._file is not None and not self._unwritten:
            written = _write(self._file, line)
            self._written_bytes += written
            line = line[written:]
        unwritten = self._unwritten + line
        self._left_out_bytes += max(len(unwritten) - _MEMORY_BYTES, 0)
        self._unwritten = unwritten[-_MEMORY_BYTES:]

    def kept(self) -> Kept:
        return Kept(self._written_bytes, self._left_out_bytes, self._unwritten)

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()


def pack(folder: Path, kept: Mapping[str, Kept], limit_bytes: int = LOG_LIMIT_BYTES) -> bytes:
    """The folder's files as tar.gz of at most `limit_bytes`, made in memory because the disk may be full.

    Long files lose their middle until it fits; `kept` tells, by file name, what of a file is lost or in memory.
    """
    keep_bytes = limit_bytes
    while True:
        packed = _pack_once(folder, kept, keep_bytes)
        if len(packed) <= limit_bytes or keep_bytes < 1024:
            return packed
        keep_bytes //= 2


def _pack_once(folder: Path, kept: Mapping[str, Kept], keep_bytes: int) -> bytes:
    names = {path.name for path in folder.iterdir() if path.is_file()} if folder.is_dir() else set()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=5) as tar:
        for name in sorted(names.union(kept)):
            data = shortened(folder / name, keep_bytes, kept.get(name))
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = len(data), int(time.time()), 0o644
            tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def _write(file: FileIO, line: bytes) -> int:
    """How many bytes were taken."""
    try:
        return file.write(line) or 0
    except (OSError, ValueError):
        return 0
