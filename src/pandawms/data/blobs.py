"""The system's own bytes: users' sandboxes and the logs of jobs, in a folder that all servers share.

A blob appears whole or not at all: it is written beside its place and renamed. Nothing here is in the catalogue.
"""

import asyncio
import os
import zlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from pandawms.domain.errors import Invalid, Limit

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: its size, its adler32 (4 bytes) and its sha256 (32 bytes)."""

    size_bytes: int
    adler32: bytes
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Blobs:
    """A folder of blobs; makes its sub-folders when needed."""

    root: Path

    def sandbox(self, digest: bytes) -> Path:
        """Returns where the sandbox of this sha256 is."""
        name = digest.hex()
        return self.root / "sandboxes" / name[:2] / f"{name}.tar.gz"

    def log(self, job_id: int) -> Path:
        """Returns where the log of a job is; 1,000 jobs share a folder."""
        return self.root / "logs" / f"{job_id // 1000:06d}" / f"{job_id}.tar.gz"


async def write(path: Path, source: AsyncIterator[bytes], limit_bytes: int, digest: bytes | None = None) -> Written:
    """Writes a stream to `path`, whole or not at all.

    Raises Limit when it is longer than `limit_bytes`, Invalid when a sha256 is given and it is another.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        written = await _write_part(part, source, limit_bytes)
        if digest is not None and written.sha256 != digest:
            raise Invalid("the content does not have this sha256", code="content.sha256", field="sha256", value=digest.hex(), hint="send it again")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return written


async def _write_part(part: Path, source: AsyncIterator[bytes], limit_bytes: int) -> Written:
    size, adler, sha = 0, 1, sha256()
    with part.open("xb") as file:
        async for chunk in source:
            size += len(chunk)
            if size > limit_bytes:
                raise Limit(f"the content is larger than {limit_bytes} bytes", code="content.size", field="body", value=size, allowed=f"{limit_bytes} bytes")
            adler = zlib.adler32(chunk, adler)
            sha.update(chunk)
            file.write(chunk)
        await asyncio.to_thread(_flush, file)
    return Written(size, adler.to_bytes(4, "big"), sha.digest())


def _flush(file: BinaryIO) -> None:
    """Brings the bytes to the disk, which may take seconds: never in the event loop."""
    file.flush()
    os.fsync(file.fileno())


def read(path: Path) -> Iterator[bytes]:
    """Yields the bytes of a blob in chunks."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
