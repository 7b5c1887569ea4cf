"""Locks between the pilots of one node, by flock(2): the kernel opens them when their holder dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pandawms.pilot.stop import Stop

_POLL_SECONDS = 0.2


@contextmanager
def locked(path: Path, stop: Stop) -> Iterator[None]:
    """Holds the lock; waits for whoever has it, and raises `Stopped` when a stop is asked for meanwhile."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while not _try(descriptor):
            stop.check()
            stop.wait(_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


def try_lock(path: Path) -> int:
    """A descriptor that holds the lock until it is closed, or -1 when another process has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    if _try(descriptor):
        return descriptor
    os.close(descriptor)
    return -1


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
