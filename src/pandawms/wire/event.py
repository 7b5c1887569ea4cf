"""Changes on the wire: entries of the event logs, one by one (routes) or as a stream (server-sent events)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec


class ChangeEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One change of status. `event_id` is the cursor of the stream: give it back as Last-Event-ID to go on after it."""

    event_id: str
    entity: str
    entity_id: str
    event: str
    to_status: str
    at: datetime
    from_status: str | None = None
    task_id: int | None = None
    reason: str | None = None
    detail: dict[str, Any] = {}
