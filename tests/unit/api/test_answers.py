"""What the API answers can be read by clients of the release before, which know fewer words and fewer fields."""

from collections.abc import Iterator
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest
from litestar import Response
from litestar.handlers import HTTPRouteHandler
from msgspec import inspect

from pandawms.api.routes import ROUTES
from pandawms.wire.task import TaskDetail
from tests.unit.cli.answers import TASK


def answers() -> dict[str, Any]:
    """The types of all answers that have a body of JSON, by handler."""
    found = {str(handler): _answered(handler) for handler in ROUTES}
    return {name: kind for name, kind in found.items() if kind is not None}


def _answered(handler: HTTPRouteHandler) -> Any:
    kind = get_type_hints(handler.fn)["return"]
    if get_origin(kind) is Response:
        kind = get_args(kind)[0]
    return kind if msgspec_takes(kind) else None


def msgspec_takes(kind: Any) -> bool:
    """Whether a type is one of ours, not of the framework."""
    return any(isinstance(part, type) and issubclass(part, msgspec.Struct) for part in (kind, get_origin(kind), *get_args(kind)))


def strict_parts(found: Any, path: str, seen: frozenset[Any]) -> Iterator[str]:
    """Where a type takes some words only, or refuses what it does not know."""
    if isinstance(found, inspect.LiteralType):
        yield f"{path}: only {', '.join(map(str, found.values))}"
    elif isinstance(found, inspect.StructType) and found.cls not in seen:
        if found.forbid_unknown_fields:
            yield f"{path}: {found.cls.__name__} refuses other fields"
        for field in found.fields:
            yield from strict_parts(field.type, f"{path}.{field.encode_name}", seen | {found.cls})
    else:
        for name in ("item_type", "key_type", "value_type", "type"):
            if hasattr(found, name):
                yield from strict_parts(getattr(found, name), path, seen)
        for part in (*getattr(found, "types", ()), *(getattr(found, "item_types", ()))):
            yield from strict_parts(part, path, seen)


@pytest.mark.parametrize(("name", "kind"), answers().items(), ids=list(answers()))
def test_no_answer_refuses_a_word_or_a_field_of_a_later_release(name: str, kind: Any) -> None:
    assert list(strict_parts(inspect.type_info(kind), name.rpartition(".")[2], frozenset())) == []


def test_a_task_with_words_and_fields_of_a_later_release_is_read() -> None:
    later = TASK | {"unit": "parsecs", "document": {"name": "t", "warp": {"factor": 9}}, "warp": 9}
    assert msgspec.convert(later, TaskDetail).unit == "parsecs"
