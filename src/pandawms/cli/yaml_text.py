"""YAML read strictly: no name twice, no nesting without end; and what stands in the text where a value was found."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import yaml

from pandawms.domain.errors import Invalid

MAX_DEPTH = 100
"""Deepest nesting of a document; the parser's own stack ends at some ten thousand, and takes the process with it."""

_STEP = re.compile(r"[^.\[\]]+")


class _Loader(yaml.CSafeLoader):
    """Refuses a key that is there twice, which YAML's loader would let win in silence."""


def _mapping(loader: yaml.CSafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Hashable] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if isinstance(key, Hashable) and key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"{key} is there twice", key_node.start_mark)
        seen.add(key if isinstance(key, Hashable) else None)
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def parse_yaml(text: str, where: str) -> Any:
    """The value that a text holds; raises Invalid that names `where` and the line."""
    try:
        _check_depth(text, where)
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise Invalid(
            f"{where}{line}: {problem}",
            code="malformed",
            field=where,
            hint="check indentation, colons and quotes there",
        ) from None


def too_deep(where: str) -> Invalid:
    """The error for a document whose lists and mappings are inside one another without end."""
    return Invalid(f"{where} is nested too deeply", code="malformed", field=where, allowed=f"at most {MAX_DEPTH} levels", hint="check the brackets there")


def _check_depth(text: str, where: str) -> None:
    depth = 0
    for event in yaml.parse(text, yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise too_deep(where)


def scalar_at(text: str, field: str) -> str | None:
    """The text of the plain value at a field such as `environment.packages[1]`, as it was written; None where there is none."""
    try:
        node = yaml.compose(text, yaml.CSafeLoader)
    except yaml.YAMLError:
        return None
    for step in _STEP.findall(field):
        if isinstance(node, yaml.MappingNode):
            node = next((value for key, value in node.value if key.value == step), None)
        elif isinstance(node, yaml.SequenceNode) and step.isdigit() and int(step) < len(node.value):
            node = node.value[int(step)]
        else:
            return None
    return node.value if isinstance(node, yaml.ScalarNode) else None
