"""The system about itself: health, version, and who is asking."""

from __future__ import annotations

from datetime import datetime

import msgspec


class HealthCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the system and whether it does its duty."""

    name: str
    ok: bool
    detail: str = ""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """`status` is ok, degraded (something does not do its duty) or down (nothing can be done without it)."""

    status: str
    server_time: datetime
    checks: tuple[HealthCheck, ...] = ()


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """Versions of the program, the API, the pilot protocol and the database schema."""

    version: str
    api: int = 2
    pilot_protocol: int = 1
    schema: str = ""


class WhoAmI(msgspec.Struct, frozen=True, kw_only=True):
    """The caller as the server sees it."""

    user: str
    community: str
    scopes: tuple[str, ...]
    groups: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    queue: str | None = None
    expires_at: datetime | None = None


class SandboxAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A stored sandbox; it stays at least until `expires_at` and as long as a task needs it."""

    sha256: str
    size_bytes: int
    expires_at: datetime | None = None
