"""Every error becomes a problem document here, and nowhere else."""

import random
import re
from typing import Any

import asyncpg
import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException, ValidationException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.params import ParameterKwarg

from pandawms.api.observe import request_id
from pandawms.domain.errors import Denied, Invalid, Limit, NotFound, PandaError, Unavailable
from pandawms.engine.boundary import DATABASE_AWAY
from pandawms.wire.problem import CONTENT_TYPE, Problem, problem_of

log = structlog.get_logger()

AnyRequest = Request[Any, Any, Any]

AWAY = (
    asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError, ConnectionError,
)  # fmt: skip
"""What is raised while the database is away, ends or starts, or has no connection left (a driver that is cut off in a call may say that its state is wrong)."""
DATABASE_FAILS: tuple[type[Exception], ...] = (*DATABASE_AWAY, asyncpg.PostgresError)
"""What one who asks the database again and again lives through: it is away, or refuses (no connection left, a deadlock)."""
LATER_SECONDS = (1, 3)
"""Between these Retry-After is drawn."""
AGAIN = (asyncpg.TransactionRollbackError, asyncpg.LockNotAvailableError)
"""What is raised when the same call may succeed at once."""

_EXPECTED = re.compile(r"^Expected `(?P<type>\w+)(?: \| null)?`(?: (?P<length>of length )?(?P<sign>[<>]=?) (?P<bound>[-\d.e+]+))?")
_MISSING = re.compile(r"^Missing required (?P<place>\w+) parameter '(?P<name>[^']+)'")
_SIGNS = {"<=": "at most", ">=": "at least", "<": "less than", ">": "more than"}
_TYPES = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "text", "uuid": "a UUID"}


def answer(call: AnyRequest, error: Exception) -> Response[bytes]:
    """Returns the problem document of any error that the framework brings; the caller never sees a trace."""
    if isinstance(error, MethodNotAllowedException):
        problem, headers = _method_not_allowed(call, error, request_id(call.scope))
    elif isinstance(error, HTTPException) and error.status_code < 500:
        problem, headers = problem_of(_of_framework(call, error), request_id(call.scope)), {}
    else:
        problem, headers = of_error(error, request_id(call.scope), call.scope["method"], call.scope["path"]), {}
    return Response(document(problem), status_code=problem.status, media_type=CONTENT_TYPE, headers=headers | headers_of(problem))


def document(problem: Problem) -> bytes:
    """Returns the problem as it travels."""
    return msgspec.json.encode(problem, enc_hook=str)


def headers_of(problem: Problem) -> dict[str, str]:
    """Returns the headers that go with a problem. Whoever is to come later is told a time of its own, so that not all come at once."""
    if problem.status == 401:
        return {"WWW-Authenticate": "Bearer"}
    return {"Retry-After": str(random.randint(*LATER_SECONDS))} if problem.status in (429, 503) else {}


def of_error(error: Exception, name: str, method: str, path: str) -> Problem:
    """Returns what an error of ours, of the database or of a fault means for whoever made the request `name`; logs what an operator must know."""
    if isinstance(error, PandaError):
        return problem_of(error, name)
    if isinstance(error, (*AWAY, *AGAIN, TimeoutError)):
        log.warning("request.unavailable", request_id=name, error=f"{type(error).__name__}: {error}")
        return problem_of(_unavailable(error), name)
    log.error("request.failed", request_id=name, method=method, path=path, exc_info=error)
    return _internal(name)


def _unavailable(error: Exception) -> Unavailable:
    if isinstance(error, (TimeoutError, asyncpg.QueryCanceledError)):
        return Unavailable("this takes too long", code="too_slow", hint="ask for less: filter by task_id, or a smaller limit")
    if isinstance(error, AGAIN):
        return Unavailable("two changes met", code="database.busy", hint="try again")
    return Unavailable("the database does not answer", code="database.unavailable", hint="it is started again by itself; try again in a moment")


def _internal(name: str) -> Problem:
    return Problem(
        type="/problems/internal", title="internal error", status=500, detail="something went wrong that should not", code="internal",
        hint=f"tell the operator this number: {name}", request_id=name,
    )  # fmt: skip


def _method_not_allowed(call: AnyRequest, error: MethodNotAllowedException, name: str) -> tuple[Problem, dict[str, str]]:
    allowed = ", ".join(sorted((error.headers or {}).get("allow", "").replace(" ", "").split(",")))
    problem = Problem(
        type="/problems/invalid", title="invalid", status=405, detail=f"{call.method} is not possible here", code="method_not_allowed", field="method",
        value=call.method, allowed=allowed, hint=f"use {allowed}", request_id=name,
    )  # fmt: skip
    return problem, {"Allow": allowed}


def _of_framework(call: AnyRequest, error: HTTPException) -> PandaError:
    """An error that the web framework raised before our code was asked."""
    if isinstance(error, NotFoundException):
        return NotFound(f"there is nothing at {call.scope['path'][:200]}", code="no_route", field="path", hint="all routes are in /api/v2/docs")
    if isinstance(error, RequestEntityTooLarge):
        return Limit("the body is too large", code="body.size", field="body", hint="send less at once")
    if isinstance(error, ValidationException):
        return _invalid(call, error)
    if error.status_code in (401, 403):
        return Denied("this is not allowed", code="denied")
    return Invalid(str(error.detail)[:500], code="malformed", hint="see /api/v2/docs")


def _invalid(call: AnyRequest, error: ValidationException) -> Invalid:
    found = [_part(call, item) for item in error.extra] if isinstance(error.extra, list) else []
    missing = _MISSING.match(str(error.detail))
    if missing is not None:
        key = missing["name"]
        return Invalid(f"{key} is missing", code="missing_field", field=key, allowed=f"a {missing['place']} parameter", hint=f"give {key}; see /api/v2/docs")
    if not found:
        return Invalid("the request is not understood", code="malformed", hint="see /api/v2/docs")
    first, others = found[0], found[1:]
    return Invalid(first.detail, code=first.code, field=first.field, value=first.value, allowed=first.allowed, hint=first.hint, errors=others)


def _part(call: AnyRequest, item: dict[str, Any]) -> Invalid:
    key = _name(call, str(item.get("key", "")))
    if key == "data":
        return Invalid("the body is empty", code="malformed", field="body", allowed="a JSON object", hint="send one JSON object in UTF-8")
    value = call.path_params.get(key, call.query_params.get(key))
    allowed = _allowed(str(item.get("message", "")))
    code = "missing_field" if value is None else "not_allowed"
    detail = f"{key} is missing" if value is None else f"{key} must be {allowed}"
    return Invalid(detail, code=code, field=key, value=value, allowed=allowed, hint=f"give {key} as {allowed}")


def _name(call: AnyRequest, key: str) -> str:
    """The name under which the caller knows a parameter of a handler."""
    field = call.route_handler.parsed_fn_signature.parameters.get(key)
    definition = field.kwarg_definition if field is not None else None
    return (definition.name if isinstance(definition, ParameterKwarg) else None) or key


def _allowed(message: str) -> str:
    """What Litestar's message (msgspec's) says would be right, in words."""
    found = _EXPECTED.match(message)
    if found is None:
        return message[:1].lower() + message[1:200]
    if found["sign"]:
        return f"{_SIGNS[found['sign']]} {found['bound']}{' characters' if found['length'] else ''}"
    return _TYPES.get(found["type"], found["type"])
