"""Long outputs: what of them is in a file, what found no room on the disk, and how they are cut with a true count."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Kept:
    """How an output stands in its file: `head_bytes` of its beginning, then its end, which may be `unwritten`.

    Where `left_out_bytes` between the two are lost, the file has a line that says so in their place, unless the end is
    unwritten: that is the end of an output whose disk was full, and only the beginning is in the file.
    """

    head_bytes: int = 0
    left_out_bytes: int = 0
    unwritten: bytes = b""

    @classmethod
    def from_guard(cls, told: dict[str, Any]) -> Kept:
        """As the guard tells it at the end of a payload."""
        return cls(told["head_bytes"], told["left_out_bytes"], told["unwritten"].encode("latin-1"))


def note(left_out_bytes: int) -> bytes:
    """The line in the place of lost bytes; the guard, which imports nothing, writes the same."""
    return f"\n[... {left_out_bytes} bytes left out ...]\n".encode()


def shortened(path: Path, keep_bytes: int, kept: Kept | None = None) -> bytes:
    """The output, or its first and last halves of `keep_bytes` with a line between them that says how much is missing.

    That number counts all that is missing, also what was left out before (`kept`). A file that is not there is empty.
    """
    kept = kept or Kept()
    size, half = _size_bytes(path), keep_bytes // 2
    head = kept.head_bytes if kept.left_out_bytes else min(size, half)
    has_note = kept.left_out_bytes and not kept.unwritten
    tail_at = head + (len(note(kept.left_out_bytes)) if has_note else 0)
    tail = size - tail_at + len(kept.unwritten)
    first, last = (head, tail) if head + tail <= keep_bytes else (min(head, half), min(tail, half))
    missing = kept.left_out_bytes + head + tail - first - last
    from_file = max(last - len(kept.unwritten), 0)
    end = _read(path, size - from_file, from_file) + kept.unwritten
    return _read(path, 0, first) + (note(missing) if missing else b"") + end[len(end) - last :]


def last_bytes(path: Path, count: int, kept: Kept | None = None) -> bytes:
    """The end of an output, at most so many bytes."""
    size, unwritten = _size_bytes(path), kept.unwritten if kept else b""
    end = _read(path, max(size - count, 0), count) + unwritten
    return end[max(len(end) - count, 0) :]


def _size_bytes(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _read(path: Path, start: int, count: int) -> bytes:
    if not count or not path.is_file():
        return b""
    with path.open("rb") as file:
        file.seek(start)
        return file.read(count)
