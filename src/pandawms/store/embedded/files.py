"""Files and folders that are ours: locked against a second start, written whole, closed to others."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pandawms.domain.errors import Invalid, Unavailable
from pandawms.store.embedded.account import Account


@contextmanager
def locked(path: Path, timeout_seconds: float) -> Iterator[None]:
    """Holds the lock file `path`, in a folder that is made when missing.

    Unavailable when another process holds it for longer than `timeout_seconds`, Invalid when the folder cannot be written to.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise Invalid(
            f"the database cannot be kept in {path.parent}: {error.strerror}",
            code="postgres_folder",
            field="folder",
            value=str(path.parent),
            hint="choose a folder that you can write to",
        ) from error
    try:
        _wait_for_lock(descriptor, path, timeout_seconds)
        yield
    finally:
        os.close(descriptor)


def write_whole(path: Path, text: str, mode: int) -> None:
    """Writes a file of ours so that a reader, or a crash, sees the old text or the new, never a part."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    os.replace(temporary, path)


def make_private(path: Path, account: Account) -> None:
    """A folder that `account` alone can enter, made when missing; Invalid when one is there that is not like this."""
    try:
        path.mkdir(mode=0o700)
        account.own(path)
    except FileExistsError:
        pass
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid or found.st_mode & 0o077:
        raise Invalid(
            f"{path} is not a folder that only the user {account.uid} can enter",
            code="postgres_folder",
            field="folder",
            value=str(path),
            hint=f"look who made it; if nothing uses it, remove it (or: chown {account.uid} and chmod 700) and start again",
        )


def _wait_for_lock(descriptor: int, path: Path, timeout_seconds: float) -> None:
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"another process has been starting or stopping this PostgreSQL for {timeout_seconds:.0f} s",
                    code="postgres_locked",
                    hint=f"see who holds it: fuser {path}",
                ) from None
        time.sleep(0.05)
