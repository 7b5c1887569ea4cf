"""Files of the data folder that only its owner may read, and files that must appear whole."""

import os
from pathlib import Path
from uuid import uuid4


def write_private(path: Path, text: str) -> None:
    """Writes a 0600 file, whole or not at all, in a folder that only its owner can enter when it has to be made."""
    _write(path, text, 0o600)


def write_public(path: Path, text: str) -> None:
    """Writes a file that others may read, whole or not at all."""
    _write(path, text, 0o644)


def _write(path: Path, text: str, mode: int) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid4().hex}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
