"""The errors of the system: one base, six kinds, each mapped once to an HTTP status by the API.

An error is data for the person who must act on it: which field, which value, what would have been allowed, and a hint.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import ClassVar


class PandaError(Exception):
    """Something the caller must know about; always raised as one of the six kinds below.

    `detail` is a sentence for a person, `code` a stable word for programs. `field`, `value`, `allowed` and `hint` point at the
    part of the input that is wrong and at what would be right. `errors` holds further errors found in the same input.
    """

    kind: ClassVar[str] = "error"

    def __init__(
        self,
        detail: str,
        *,
        code: str,
        field: str | None = None,
        value: object = None,
        allowed: str | None = None,
        hint: str | None = None,
        errors: Sequence[PandaError] = (),
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.field = field
        self.value = value
        self.allowed = allowed
        self.hint = hint
        self.errors: tuple[PandaError, ...] = tuple(errors)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.detail!r}, code={self.code!r}, field={self.field!r})"


class Invalid(PandaError):
    """The input is wrong and will stay wrong until it is changed (HTTP 422)."""

    kind = "invalid"


class Denied(PandaError):
    """The caller is not known (code "unauthenticated", HTTP 401) or may not do this (HTTP 403)."""

    kind = "denied"


class NotFound(PandaError):
    """What was named does not exist, or not for this caller (HTTP 404)."""

    kind = "not_found"


class Conflict(PandaError):
    """What was asked does not fit the present status of the thing (HTTP 409)."""

    kind = "conflict"


class Limit(PandaError):
    """Too large (HTTP 413) or too often (code "rate_limited", HTTP 429)."""

    kind = "limit"


class Unavailable(PandaError):
    """A part of the system does not answer now; the same call may succeed later (HTTP 503)."""

    kind = "unavailable"


KINDS: tuple[type[PandaError], ...] = (Invalid, Denied, NotFound, Conflict, Limit, Unavailable)


def did_you_mean(word: str, choices: Iterable[str]) -> str | None:
    """The choice that looks most like `word`, as in a typing error; None when none is near (difflib ratio under 0.6)."""
    by_lower = {choice.lower(): choice for choice in choices}
    near = difflib.get_close_matches(word.lower(), list(by_lower), n=1, cutoff=0.6)
    return by_lower[near[0]] if near else None
