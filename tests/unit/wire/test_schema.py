"""The JSON Schema takes what the types take, and says of every field what it is for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it comes without types
import msgspec
import pytest
from hypothesis import given, settings

from pandawms.cli.yaml_text import parse_yaml
from pandawms.domain.errors import Invalid
from pandawms.wire.checks import decode_document
from pandawms.wire.schema import document_schema, document_schema_text
from tests.unit.wire.documents import documents

SCHEMA = msgspec.json.decode(document_schema_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def is_taken(tree: dict[str, Any]) -> bool:
    """Whether the types take a document."""
    try:
        decode_document(tree)
    except Invalid:
        return False
    return True


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["version"] == 2
    assert SCHEMA["additionalProperties"] is False


@settings(max_examples=300, deadline=None)
@given(documents())
def test_it_takes_what_the_types_take_and_nothing_else(tree: dict[str, Any]) -> None:
    assert VALIDATOR.is_valid(tree) == is_taken(tree)


def test_every_field_says_what_it_is_for() -> None:
    schema = document_schema()
    for name, part in {"top": schema, **schema["$defs"]}.items():
        for field, what in part["properties"].items():
            refers = "$ref" in what or any("$ref" in kind for kind in what.get("anyOf", ()))
            assert refers or what.get("description"), f"{name}.{field}"
        assert part["description"]


@pytest.mark.parametrize("path", sorted(Path("examples").rglob("*.yaml")), ids=str)
def test_the_examples_are_right_by_it(path: Path) -> None:
    tree = parse_yaml(path.read_text(encoding="utf-8"), str(path))
    if isinstance(tree, dict) and "program" in tree:
        VALIDATOR.validate(tree)
