"""The API's description in OpenAPI 3.1, made from the handlers: their signatures, docstrings, policies and types.

`python -m pandawms.api.openapi --write FILE` writes the committed file, `--check FILE` fails when it is not what the code says.
"""

import argparse
import inspect
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec
from litestar import Litestar, Response
from litestar.handlers import HTTPRouteHandler
from litestar.params import ParameterKwarg, PathParameter, QueryParameter
from litestar.routes import HTTPRoute
from litestar.typing import FieldDefinition

from pandawms.api.once import HEADER as IDEMPOTENCY_KEY
from pandawms.api.policies import SCOPES, Action
from pandawms.store.ids import BIGINT
from pandawms.wire.problem import CONTENT_TYPE, Problem

REFERENCE = "#/components/schemas/{name}"
JSON = "application/json"
BINARY = "application/octet-stream"
COMMITTED = Path("docs/reference/openapi.json")
CONSTRAINTS = {"ge": "minimum", "le": "maximum", "min_length": "minLength", "max_length": "maxLength", "pattern": "pattern", "description": "description"}
PROBLEMS = {
    "401": "The token is missing, wrong, expired or revoked.",
    "403": "The token does not allow this.",
    "404": "There is no such thing, or not for you.",
    "409": "This does not fit the present status.",
    "413": "Too large.",
    "422": "The request is wrong: the problem names field, value, allowed and hint.",
    "503": "A part of the system does not answer now; try again after Retry-After seconds.",
}


def handlers(app: Litestar) -> Iterator[tuple[str, HTTPRouteHandler]]:
    """Yields every route of ours with its path; what the framework adds (OPTIONS) has no policy and is left out."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                if "policy" in handler.opt:
                    yield route.path_format, handler


def document(app: Litestar) -> dict[str, Any]:
    """Returns the description of all routes."""
    found = sorted(handlers(app), key=lambda pair: (pair[0], _method(pair[1])))
    types: list[Any] = [Problem]
    for _, handler in found:
        types += [kind for kind in (_body(handler), _answer(handler)) if kind not in (None, bytes, str)]
    schemas, components = msgspec.json.schema_components(types, ref_template=REFERENCE)
    known = list(zip(types, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for path, handler in found:
        paths.setdefault(path, {})[_method(handler)] = _operation(path, handler, known)
    whole = {
        "openapi": "3.1.0",
        "info": {"title": "PandaWMS", "version": "2", "description": "Workload management: tasks, jobs, data, pilots.", "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {"schemas": dict(sorted(components.items())), "responses": _problem_responses(), "securitySchemes": _security_schemes()},
    }
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(whole))
    return plain


def _operation(path: str, handler: HTTPRouteHandler, known: list[tuple[Any, dict[str, Any]]]) -> dict[str, Any]:
    summary, _, rest = inspect.cleandoc(handler.fn.__doc__ or "").partition("\n")
    action: Action = handler.opt["policy"]
    scopes = sorted(map(str, SCOPES[action]))
    operation: dict[str, Any] = {
        "operationId": _name(handler), "tags": [_tag(handler)], "summary": summary, "description": _description(rest, scopes),
        "parameters": list(_parameters(handler)), "responses": _responses(handler, known), "security": [{"bearer": scopes}] if scopes else [],
    }  # fmt: skip
    if (body := _body(handler)) is not None:
        media_type = BINARY if body is bytes else JSON
        operation["requestBody"] = {"required": not _is_optional(handler), "content": {media_type: {"schema": _schema(body, known)}}}
    return operation


def _description(rest: str, scopes: Iterable[str]) -> str:
    words = " or ".join(scopes)
    return f"{rest.strip()}\n\nNeeds a token with scope {words}.".strip() if words else f"{rest.strip()}\n\nNeeds no token.".strip()


def _parameters(handler: HTTPRouteHandler) -> Iterator[dict[str, Any]]:
    for name, field in handler.parsed_fn_signature.parameters.items():
        definition = field.kwarg_definition
        if isinstance(definition, PathParameter):
            limits = {"minimum": 1, "maximum": BIGINT} if field.annotation is int else {}
            yield {"name": name, "in": "path", "required": True, "schema": {**_plain(field), **limits}}
        elif isinstance(definition, QueryParameter):
            yield {"name": definition.name or name, "in": "query", "required": not field.has_default, "schema": _limited(field, definition)}
    if handler.opt.get("is_repeatable"):
        text = "The same key with the same request does nothing twice and gets the same answer."
        yield {"name": IDEMPOTENCY_KEY, "in": "header", "required": False, "description": text, "schema": {"type": "string", "minLength": 1, "maxLength": 200}}


def _plain(field: FieldDefinition) -> dict[str, Any]:
    """The schema of a parameter; None only says that it may be left out, which is said elsewhere."""
    schema = msgspec.json.schema(field.annotation)
    choices = [choice for choice in schema.pop("anyOf", []) if choice != {"type": "null"}]
    schema |= choices[0] if len(choices) == 1 else {}
    if "enum" in schema:
        schema["enum"] = [word for word in schema["enum"] if word is not None]
    return schema


def _limited(field: FieldDefinition, definition: ParameterKwarg) -> dict[str, Any]:
    limits = {word: value for name, word in CONSTRAINTS.items() if (value := getattr(definition, name, None)) is not None}
    default = {"default": field.default} if field.has_default and field.default is not None else {}
    return {**_plain(field), **limits, **default}


def _responses(handler: HTTPRouteHandler, known: list[tuple[Any, dict[str, Any]]]) -> dict[str, Any]:
    answer = _answer(handler)
    success: dict[str, Any] = {"description": "Success."}
    if answer is not None:
        media_type = handler.opt.get("media_type") or {bytes: BINARY, str: "text/plain"}.get(answer, JSON)
        success["content"] = {media_type: {"schema": _schema(answer, known)}, **handler.opt.get("other_answers", {})}
    codes = [str(handler.status_code)]
    if handler.status_code == 201 and (handler.opt.get("is_repeatable") or _method(handler) == "put"):
        codes.append("200")
    problems = {code: {"$ref": f"#/components/responses/{code}"} for code in PROBLEMS}
    return {**dict.fromkeys(codes, success), **problems}


def _problem_responses() -> dict[str, Any]:
    content = {CONTENT_TYPE: {"schema": {"$ref": REFERENCE.format(name="Problem")}}}
    return {code: {"description": text, "content": content} for code, text in PROBLEMS.items()}


def _security_schemes() -> dict[str, Any]:
    return {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "`panda token create` makes one."}}


def _schema(kind: Any, known: list[tuple[Any, dict[str, Any]]]) -> dict[str, Any]:
    if kind in (bytes, str):
        return {"type": "string", **({"format": "binary"} if kind is bytes else {})}
    return next(schema for each, schema in known if each == kind)


def _body(handler: HTTPRouteHandler) -> Any:
    field = handler.parsed_data_field
    return handler.opt.get("body") if field is None else field.annotation


def _is_optional(handler: HTTPRouteHandler) -> bool:
    field = handler.parsed_data_field
    return field is not None and field.is_optional


def _answer(handler: HTTPRouteHandler) -> Any:
    if "answer" in handler.opt:
        return handler.opt["answer"]
    annotation = handler.parsed_fn_signature.return_type.annotation
    if get_origin(annotation) is Response:
        return get_args(annotation)[0]
    return None if annotation in (None, type(None)) else annotation


def _method(handler: HTTPRouteHandler) -> str:
    (method,) = handler.http_methods
    return str(method).lower()


def _tag(handler: HTTPRouteHandler) -> str:
    return str(handler.fn.__module__).rsplit(".", 1)[-1]


def _name(handler: HTTPRouteHandler) -> str:
    return f"{_tag(handler)}_{handler.fn.__name__}"


def text(app: Litestar) -> bytes:
    """Returns the description as it is committed: indented, with a line end."""
    return msgspec.json.format(msgspec.json.encode(document(app)), indent=1) + b"\n"


def main(arguments: list[str] | None = None) -> int:
    """Writes or checks the committed description; returns 1 when it is out of date."""
    from pandawms.api.app import bare_app

    parser = argparse.ArgumentParser(description=__doc__)
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--write", action="store_true")
    group.add_argument("--check", action="store_true")
    parser.add_argument("file", nargs="?", type=Path, default=COMMITTED)
    given = parser.parse_args(arguments)
    wanted = text(bare_app())
    if given.write:
        given.file.parent.mkdir(parents=True, exist_ok=True)
        given.file.write_bytes(wanted)
        return 0
    if given.file.exists() and given.file.read_bytes() == wanted:
        return 0
    sys.stderr.write(f"{given.file} is not what the code says: run python -m pandawms.api.openapi --write\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
