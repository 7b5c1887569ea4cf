"""Workers (pilots as the batch system knows them) on the wire; only operators make and change them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from pandawms.wire.names import Name


class WorkerRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A worker that a provisioner is about to submit."""

    queue: Name
    provisioner: Name
    cores: Annotated[int, Meta(ge=1, le=1024)] = 1
    batch_id: Annotated[str, Meta(max_length=200)] | None = None
    node: Annotated[str, Meta(max_length=255)] | None = None


class WorkerPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a provisioner saw of a worker; absent fields stay as they are."""

    status: Annotated[str, Meta(max_length=30)] | None = None
    batch_id: Annotated[str, Meta(max_length=200)] | None = None
    node: Annotated[str, Meta(max_length=255)] | None = None
    exit_code: int | None = None
    reason: Annotated[str, Meta(max_length=1000)] | None = None


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """A worker. `token` is there only in the answer to its creation: the pilot's own, bound to its queue."""

    worker_id: int
    queue: str
    status: str
    created_at: datetime
    provisioner: str = ""
    cores: int = 1
    batch_id: str | None = None
    node: str | None = None
    pilot_version: str | None = None
    n_jobs: int = 0
    started_at: datetime | None = None
    heartbeat_at: datetime | None = None
    ended_at: datetime | None = None
    exit_code: int | None = None
    reason: str | None = None
    token: str | None = None
