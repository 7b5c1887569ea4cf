"""Task files: YAML or TOML read into a document, with changes from the command line."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pandawms.cli.yaml_text import parse_yaml, scalar_at, too_deep
from pandawms.domain.errors import Invalid
from pandawms.wire.checks import checked, decode_document
from pandawms.wire.decode import QUOTES_HINT
from pandawms.wire.document import TaskDocument


@dataclass(frozen=True, slots=True)
class TaskFile:
    """A checked document, and the folder its paths are relative to."""

    document: TaskDocument
    folder: Path


def read_task_file(path: Path, changes: Sequence[str] = (), name: str | None = None) -> TaskFile:
    """Reads and checks a task file; `changes` are `key.path=value`, their values in YAML. Raises Invalid that names the field."""
    text = _text(path)
    tree = _parsed(text, path)
    for change in changes:
        apply_change(tree, change)
    if name is not None:
        tree["name"] = name
    try:
        return TaskFile(checked(decode_document(tree)), path.resolve().parent)
    except Invalid as error:
        raise _as_written(error, text if path.suffix != ".toml" else "", changes) from None


def _as_written(error: Invalid, text: str, changes: Sequence[str]) -> Invalid:
    """The same error; where text must be and YAML read something else (`no`, 3.10, a date), the hint tells the text as it was written."""
    if error.field and error.hint and error.hint.startswith(QUOTES_HINT):
        given = [value for key, _, value in (change.partition("=") for change in changes) if key == error.field]
        written = given[-1] if given else scalar_at(text, error.field)
        if written is not None:
            error.hint = f'{QUOTES_HINT}: "{written}"'
    return error


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
        place[names[-1]] = parse_yaml(text, "--set")
    else:
        place.pop(names[-1], None)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except IsADirectoryError:
        names = ", ".join(sorted(str(item) for item in path.iterdir() if item.suffix in (".yaml", ".yml", ".toml"))[:3])
        hint = f"name a task file, such as {names}" if names else "name a task file; there is none in this folder"
        raise Invalid(f"{path} is a folder", code="not_a_file", field="file", value=str(path), hint=hint) from None
    except FileNotFoundError:
        raise Invalid(f"{path} does not exist", code="file_missing", field="file", value=str(path), hint="name a task file") from None
    except UnicodeDecodeError:
        raise Invalid(f"{path} is not text in UTF-8", code="malformed", field=str(path), hint="name a task file") from None


def _parsed(text: str, path: Path) -> dict[str, Any]:
    tree = _toml(text, str(path)) if path.suffix == ".toml" else parse_yaml(text, str(path))
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
    except RecursionError:
        raise too_deep(where) from None
