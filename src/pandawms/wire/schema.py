"""The JSON Schema of the task document, for editors and for programs that make documents. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from pandawms.wire.document import TaskDocument

DRAFT = "https://json-schema.org/draft/2020-12/schema"
VERSION = 2
"""The newest version of the document's form; a document may say which one it has by `schema`."""


def document_schema() -> dict[str, Any]:
    """Everything that the types say: fields, limits, defaults, meanings. What fields must fulfil together is checked at submit alone."""
    (found,), parts = msgspec.json.schema_components([TaskDocument], ref_template="#/$defs/{name}")
    name = found["$ref"].rsplit("/", 1)[-1]
    top = parts.pop(name)
    schema = {"$schema": DRAFT, "title": "A task for panda", "version": VERSION, **top, "$defs": dict(sorted(parts.items()))}
    tidied: dict[str, Any] = _tidied(schema)
    return tidied


def document_schema_text() -> str:
    """The schema as JSON, for a file or a terminal."""
    return msgspec.json.format(msgspec.json.encode(document_schema()), indent=2).decode() + "\n"


def _tidied(node: Any) -> Any:
    """The same schema as editors show it best: what may be null says what it means beside the choice, and a pattern holds no Python tricks."""
    if isinstance(node, (list, tuple)):
        return [_tidied(item) for item in node]
    if not isinstance(node, dict):
        return node
    tidy = {key: _tidied(value) for key, value in node.items()}
    if isinstance(tidy.get("pattern"), str):
        tidy["pattern"] = tidy["pattern"].replace(r"(?!\n)", "")
    texts = [part["description"] for part in tidy.get("anyOf", ()) if isinstance(part, dict) and "description" in part]
    if texts and "description" not in tidy:
        tidy["description"] = texts[0]
    return tidy
