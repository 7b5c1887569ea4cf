"""Batch systems behind one seam: how pilots are started, seen and stopped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class WorkerState(Enum):
    """What a batch system says of a worker."""

    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Launch:
    """A worker to be started: the pilot's command line, and what the slot must offer (memory and disk in MB, time in seconds).

    Cores, memory, disk and GPUs are those of each of its nodes; the command line runs on one of them. An empty `gpu_model` is any.
    """

    worker_id: int
    queue: str
    command: tuple[str, ...]
    token_file: str
    work_folder: str
    cores: int
    memory_mb: int
    disk_mb: int
    wall_seconds: int
    nodes: int = 1
    gpus: int = 0
    gpu_model: str = ""
    gpu_memory_mb: int = 0


@dataclass(frozen=True, slots=True)
class Sighting:
    """The state of a worker with its diagnosis, a sentence or nothing."""

    state: WorkerState
    diagnosis: str = ""


class Provisioner(Protocol):
    """One batch system; `provision.local.Local` starts processes on this machine.

    All methods are plain code that may block for seconds; each may be called again after a crash with the same arguments.
    """

    @property
    def name(self) -> str:
        """The word by which settings and logs call it."""
        ...

    def launch(self, launch: Launch) -> str:
        """Starts a worker and returns its native id, by which the batch system knows it. Raises Unavailable when it cannot now."""
        ...

    def see(self, native_ids: Sequence[str]) -> Mapping[str, Sighting]:
        """Returns the state of each worker asked for; one that the batch system never heard of has ENDED."""
        ...

    def stop(self, native_id: str) -> None:
        """Asks the worker to end soon; nothing happens when it has ended."""
        ...
