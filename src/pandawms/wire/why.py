"""Why something is as it is: the answer of the `why` routes of tasks and jobs, and the broker's rejections."""

from __future__ import annotations

from datetime import datetime

import msgspec


class QueueRejection(msgspec.Struct, frozen=True, kw_only=True):
    """Why one queue cannot take a task: the rule that refused, what it allows and what was asked."""

    queue: str
    rule: str
    reason: str
    limit: str | int | float | None = None
    value: str | int | float | None = None


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """One reason. `code` is stable for programs; `since` is when it began; `limit` and `value` are the numbers behind it."""

    code: str
    text: str
    since: datetime | None = None
    limit: str | int | float | None = None
    value: str | int | float | None = None


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """An explanation: one headline sentence, its causes (most important first) and what one could do."""

    subject: str
    status: str
    headline: str
    causes: tuple[Cause, ...] = ()
    advice: tuple[str, ...] = ()
    rejections: tuple[QueueRejection, ...] = ()
