"""Tokens on the wire. A token's text is told once, in the answer to its creation; the system keeps a hash."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pandawms.wire.names import Name

TokenScope = Literal["user", "pilot", "operator"]


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token for a script, a user or a pilot; one with scope pilot names its queue."""

    scopes: Annotated[tuple[TokenScope, ...], Meta(min_length=1, max_length=3)] = ("user",)
    name: Annotated[str, Meta(max_length=100, description="What it is for.")] = ""
    queue: Name | None = None
    user: Name | None = None
    lifetime_seconds: Annotated[int, Meta(ge=60, le=31_622_400, description="At most 366 days.")] = 2_592_000


class TokenView(msgspec.Struct, frozen=True, kw_only=True):
    """A token as far as anybody may know it: never its text. `queue` is that of a pilot's token."""

    token_id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    queue: str | None = None
    revoked_at: datetime | None = None


class TokenCreated(msgspec.Struct, frozen=True, kw_only=True):
    """The new token; `token` is its text, never shown again."""

    token_id: str
    token: str
    scopes: tuple[str, ...]
    user: str
    expires_at: datetime
    queue: str | None = None
    name: str = ""
