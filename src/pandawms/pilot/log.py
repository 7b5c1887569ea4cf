"""What the pilot says: one JSON line a transition; and the packing of a job's log folder."""

from __future__ import annotations

import io
import json
import tarfile
import time
from pathlib import Path
from typing import IO

LOG_LIMIT_BYTES = 10 << 20


class Log:
    """Event lines (`{"at": …, "event": "job.claimed", "job_id": 7}`) to a stream, and to the file of the present job."""

    def __init__(self, stream: IO[str] | None) -> None:
        self._stream = stream
        self._file: IO[str] | None = None

    def info(self, event: str, **fields: object) -> None:
        """One line; a full disk or a closed stream loses it and nothing else."""
        line = json.dumps({"at": round(time.time(), 3), "event": event, **fields}, default=str) + "\n"
        for stream in (self._stream, self._file):
            if stream is not None:
                _write(stream, line)

    def follow(self, path: Path | None) -> None:
        """From now on lines go to this file, too; None ends that."""
        if self._file is not None:
            _close(self._file)
        self._file = None
        if path is not None:
            self._file = path.open("a", encoding="utf-8")


def pack(folder: Path, target: Path, limit_bytes: int = LOG_LIMIT_BYTES) -> None:
    """Packs the folder's files as tar.gz of at most `limit_bytes`, cutting the middle out of long files until it fits."""
    keep_bytes = limit_bytes
    while True:
        _pack_once(folder, target, keep_bytes)
        if target.stat().st_size <= limit_bytes or keep_bytes < 1024:
            return
        keep_bytes //= 2


def _pack_once(folder: Path, target: Path, keep_bytes: int) -> None:
    with tarfile.open(target, "w:gz", compresslevel=5) as tar:
        for path in sorted(folder.iterdir()):
            if not path.is_file():
                continue
            data = shortened(path, keep_bytes)
            member = tarfile.TarInfo(path.name)
            member.size, member.mtime, member.mode = len(data), int(path.stat().st_mtime), 0o644
            tar.addfile(member, io.BytesIO(data))


def shortened(path: Path, keep_bytes: int) -> bytes:
    """The file's content, or its first and last halves of `keep_bytes` with a line between them that says what is missing."""
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        if size_bytes <= keep_bytes:
            return file.read(size_bytes)
        half = keep_bytes // 2
        head = file.read(half)
        file.seek(size_bytes - half)
        tail = file.read(half)
    return head + f"\n[... {size_bytes - 2 * half} bytes left out ...]\n".encode() + tail


def _write(stream: IO[str], line: str) -> None:
    try:
        stream.write(line)
        stream.flush()
    except (OSError, ValueError):
        return


def _close(stream: IO[str]) -> None:
    try:
        stream.close()
    except OSError:
        return
