"""Queues and sites on the wire."""

from __future__ import annotations

import msgspec


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """A queue: what one slot of it offers, how many slots there are, and how many jobs wait and run there.

    A slot has `nodes` nodes; cores, memory, disk and GPUs are those of each. `gpu_model` is empty and `gpu_memory_mb` 0 where they are not known.
    """

    name: str
    site: str
    status: str
    slots: int
    cores: int
    memory_mb: int
    disk_mb: int
    wall_seconds: int
    architecture: str = "any"
    gpus: int = 0
    nodes: int = 1
    gpu_model: str = ""
    gpu_memory_mb: int = 0
    provisioner: str = ""
    storage_endpoint: str = ""
    jobs: dict[str, int] = {}
    n_workers: int = 0
    reason: str | None = None


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """A place with queues and storage."""

    name: str
    status: str = "online"
    queues: tuple[str, ...] = ()
    storage_endpoints: tuple[str, ...] = ()


class QueueDemand(msgspec.Struct, frozen=True, kw_only=True):
    """What a provisioner needs to know: jobs that could start now, jobs that run, and workers by status."""

    queue: str
    status: str
    waiting_jobs: int
    running_jobs: int
    slots: int
    workers: dict[str, int] = {}
