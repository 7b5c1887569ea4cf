"""Problem details (RFC 9457): what an error of the domain looks like on the wire, and back."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec

from pandawms.domain.errors import KINDS, Conflict, Denied, Invalid, Limit, NotFound, PandaError, Unavailable

CONTENT_TYPE = "application/problem+json"

STATUS_OF_KIND: dict[type[PandaError], HTTPStatus] = {
    Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    Denied: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    Limit: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
STATUS_OF_CODE: dict[str, HTTPStatus] = {
    "unauthenticated": HTTPStatus.UNAUTHORIZED,
    "rate_limited": HTTPStatus.TOO_MANY_REQUESTS,
}


class ProblemError(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of several errors found in the same input."""

    detail: str
    code: str
    field: str | None = None
    value: Any = None
    allowed: str | None = None
    hint: str | None = None


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error: `type` is a stable URI reference of its kind, `code` a stable word, the rest is for the person who reads it."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    field: str | None = None
    value: Any = None
    allowed: str | None = None
    hint: str | None = None
    errors: tuple[ProblemError, ...] = ()
    request_id: str | None = None


def problem_of(error: PandaError, request_id: str | None = None) -> Problem:
    """The problem document of an error of the domain; the HTTP status follows from its code, else from its kind."""
    status = STATUS_OF_CODE.get(error.code) or STATUS_OF_KIND.get(type(error), HTTPStatus.INTERNAL_SERVER_ERROR)
    return Problem(
        type=f"/problems/{error.kind}",
        title=error.kind.replace("_", " "),
        status=int(status),
        detail=error.detail,
        code=error.code,
        field=error.field,
        value=error.value,
        allowed=error.allowed,
        hint=error.hint,
        errors=tuple(_part_of(part) for part in error.errors),
        request_id=request_id,
    )


def error_of(problem: Problem) -> PandaError:
    """The error of the domain that a problem document stands for; an unknown type is taken by its HTTP status."""
    kind = _kind_by_name(problem.type.rsplit("/", 1)[-1]) or kind_of_status(problem.status)
    return kind(
        problem.detail,
        code=problem.code,
        field=problem.field,
        value=problem.value,
        allowed=problem.allowed,
        hint=problem.hint,
        errors=[kind(part.detail, code=part.code, field=part.field, value=part.value, allowed=part.allowed, hint=part.hint) for part in problem.errors],
    )


def kind_of_status(status: int) -> type[PandaError]:
    """The kind of error that an HTTP status means when nothing better is known: 5xx is unavailable, other 4xx is invalid."""
    exact = {
        HTTPStatus.UNAUTHORIZED: Denied,
        HTTPStatus.FORBIDDEN: Denied,
        HTTPStatus.NOT_FOUND: NotFound,
        HTTPStatus.CONFLICT: Conflict,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Limit,
        HTTPStatus.TOO_MANY_REQUESTS: Limit,
    }
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Unavailable
    return {int(key): kind for key, kind in exact.items()}.get(status, Invalid)


def _kind_by_name(name: str) -> type[PandaError] | None:
    return next((kind for kind in KINDS if kind.kind == name), None)


def _part_of(error: PandaError) -> ProblemError:
    return ProblemError(
        detail=error.detail,
        code=error.code,
        field=error.field,
        value=error.value,
        allowed=error.allowed,
        hint=error.hint,
    )
