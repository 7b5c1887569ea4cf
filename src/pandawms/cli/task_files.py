"""Task files: YAML or TOML read into a document, with changes from the command line."""

from __future__ import annotations

import tomllib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pandawms.domain.errors import Invalid
from pandawms.wire.checks import checked, decode_document
from pandawms.wire.task import TaskDocument


@dataclass(frozen=True, slots=True)
class TaskFile:
    """A checked document, and the folder its paths are relative to."""

    document: TaskDocument
    folder: Path


def read_task_file(path: Path, changes: Sequence[str] = (), name: str | None = None) -> TaskFile:
    """Reads and checks a task file; `changes` are `key.path=value`, their values in YAML. Raises Invalid that names the field."""
    tree = _parsed(path)
    for change in changes:
        apply_change(tree, change)
    if name is not None:
        tree["name"] = name
    return TaskFile(checked(decode_document(tree)), path.resolve().parent)


def apply_change(tree: dict[str, Any], change: str) -> None:
    """Sets one value in a document: `inputs.events.count=100`; an empty value removes the key."""
    key, equals, text = change.partition("=")
    names = key.split(".")
    if not equals or not all(names):
        hint = "write for example --set inputs.events.count=100"
        raise Invalid(f"{change} is not key=value", code="usage", field="--set", value=change, hint=hint)
    place: Any = tree
    for name in names[:-1]:
        place = place.setdefault(name, {})
        if not isinstance(place, dict):
            raise Invalid(f"{key} leads through a value", code="usage", field="--set", value=change, hint=f"{name} is no mapping")
    if text:
        place[names[-1]] = _yaml(text, "--set")
    else:
        place.pop(names[-1], None)


def _parsed(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise Invalid(f"{path} does not exist", code="file_missing", field="file", value=str(path), hint="name a task file") from None
    except UnicodeDecodeError:
        raise Invalid(f"{path} is not text in UTF-8", code="malformed", field=str(path), hint="name a task file") from None
    tree = _toml(text, str(path)) if path.suffix == ".toml" else _yaml(text, str(path))
    if not isinstance(tree, dict):
        hint = "a task file begins with name: and has program, inputs and outputs"
        raise Invalid(
            f"{path} holds no task",
            code="malformed",
            field=str(path),
            allowed="a mapping of names to values",
            hint=hint,
        )
    return tree


def _toml(text: str, where: str) -> Any:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"{where} is not TOML: {error}", code="malformed", field=where, hint="check quotes and brackets there") from None


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


def _yaml(text: str, where: str) -> Any:
    try:
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
