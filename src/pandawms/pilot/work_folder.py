"""A pilot's own folder among those of all pilots of the node; what killed pilots left there is swept away."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path
from types import TracebackType

from pandawms.pilot.locks import try_lock


class WorkFolder:
    """`with WorkFolder(base) as folder`: a new folder, locked as long as this process lives, removed at the end."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._folder = base / f"pilot-{uuid.uuid4().hex[:12]}"
        self._lock = -1

    def __enter__(self) -> Path:
        self._base.mkdir(parents=True, exist_ok=True)
        sweep(self._base)
        self._lock = try_lock(_lock_of(self._folder))
        try:
            self._folder.mkdir()
        except OSError:
            _lock_of(self._folder).unlink(missing_ok=True)
            os.close(self._lock)
            raise
        return self._folder

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        _lock_of(self._folder).unlink(missing_ok=True)
        os.close(self._lock)


def sweep(base: Path) -> None:
    """Removes the folders of pilots that are gone: those whose lock nobody holds."""
    for folder in base.glob("pilot-*"):
        lock = try_lock(_lock_of(folder)) if folder.is_dir() else -1
        if lock >= 0:
            shutil.rmtree(folder, ignore_errors=True)
            _lock_of(folder).unlink(missing_ok=True)
            os.close(lock)


def _lock_of(folder: Path) -> Path:
    return folder.with_suffix(".lock")
