"""Looks into the log archives that pilots sent. They come from a worker node, so nothing in them is trusted: no path is used, sizes are bounded."""

import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pandawms.domain.errors import Invalid, Limit, NotFound, did_you_mean

CHUNK_BYTES = 1 << 18
TAIL_BYTES = 1 << 20
"""The last lines are looked for in so many bytes."""
MOST_READ_BYTES = 1 << 30
"""An archive of 10 MiB may hold far more; it is not read any further."""


def names(path: Path) -> list[str]:
    """Returns the names of the files in an archive. Raises Invalid when it is none."""
    with _opened(path) as archive:
        return [_name(info) for info in archive if info.isfile()]


def member(path: Path, name: str, tail: int | None, most_bytes: int) -> str:
    """Returns one file as text, or its last `tail` lines; what is no UTF-8 is shown as replacement characters.

    Raises NotFound that names what there is, Limit for a whole file that is larger than `most_bytes`.
    """
    known = []
    with _opened(path) as archive:
        for info in archive:
            if info.isfile():
                known.append(_name(info))
                if known[-1] == name:
                    return _text(archive, info, tail, most_bytes)
    near = did_you_mean(name, known)
    raise NotFound(
        f"the log has no file {name}", code="log.member", field="member", value=name, allowed=", ".join(known)[:1000] or "nothing",
        hint=f"did you mean {near}?" if near else "list=1 lists them",
    )  # fmt: skip


def _text(archive: tarfile.TarFile, info: tarfile.TarInfo, tail: int | None, most_bytes: int) -> str:
    file = archive.extractfile(info)
    assert file is not None, "a plain file"
    if tail is None and info.size > most_bytes:
        raise Limit(
            f"{_name(info)} has {info.size} bytes", code="log.size", field="member", value=info.size, allowed=f"{most_bytes} bytes",
            hint="ask for its last lines (tail=1000), or for the whole archive",
        )  # fmt: skip
    kept, read = b"", 0
    while part := file.read(CHUNK_BYTES):
        read += len(part)
        kept = (kept + part)[-TAIL_BYTES:] if tail is not None else kept + part
        if read > MOST_READ_BYTES:
            raise Limit(f"{_name(info)} is too large to be read here", code="log.size", field="member", hint="take the whole archive")
    text = kept.decode("utf-8", "replace")
    return text if tail is None else "".join(text.splitlines(keepends=True)[-tail:])


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(path, "r|gz") as archive:
            yield archive
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise Invalid("the log that the pilot sent is damaged", code="log.damaged", hint="take the whole archive and see what is left of it") from error


def _name(info: tarfile.TarInfo) -> str:
    return info.name.removeprefix("./")
