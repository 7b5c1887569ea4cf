"""From JSON's values to the frozen dataclasses of this package and back."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Callable, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

from pandawms.domain.errors import Invalid

T = TypeVar("T")
_Reader = Callable[[Any, str], Any]
_OR_NONE = " | None"
_LARGEST_INTEGER = 2**63 - 1
_LARGEST_NUMBER = 1e300


def decode(cls: type[T], mapping: Any) -> T:
    """The value of dataclass `cls` that `mapping` (JSON's object) describes; unknown keys are ignored.

    Raises `Invalid` with the field's path (`jobs[0].attempt`) and value for a missing key or a wrong type. A boolean
    is no number, a number is finite, and an integer fits in 64 bits.
    """
    value: T = _reader(cast(Hashable, cls))(mapping, "")
    return value


def encode(value: Any) -> dict[str, Any]:
    """The mapping of strings, numbers, lists and mappings that `decode` of the same class reads back."""
    return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return encode(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


@cache
def _reader(kind: Hashable) -> _Reader:
    if is_dataclass(kind):
        return _object_reader(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple:
        return _list_reader(_reader(arguments[0]))
    if origin is dict:
        return _mapping_reader(_reader(arguments[1]))
    if origin is Literal:
        return _choice_reader(arguments)
    return _SCALARS[kind]


def _object_reader(cls: Any) -> _Reader:
    readers = [(item, _field_reader(item, cls.__module__)) for item in fields(cls)]

    def read(value: Any, path: str) -> Any:
        if not isinstance(value, Mapping):
            raise _wrong(path, value, "an object")
        return cls(**_members(value, path, readers))

    return read


def _field_reader(item: Field[Any], module: str) -> _Reader:
    """Python 3.9 cannot evaluate `X | None`: what is optional is read off the annotation's text."""
    text = str(item.type)
    plain = text.removesuffix(_OR_NONE)
    holder = type("Holder", (), {"__annotations__": {"value": plain}, "__module__": module})
    read = _reader(get_type_hints(holder)["value"])
    return _optional_reader(read) if plain != text else read


def _members(value: Mapping[str, Any], path: str, readers: list[tuple[Field[Any], _Reader]]) -> dict[str, Any]:
    members = {}
    for item, read in readers:
        name = f"{path}.{item.name}" if path else item.name
        if item.name in value:
            members[item.name] = read(value[item.name], name)
        elif item.default is MISSING and item.default_factory is MISSING:
            raise Invalid(f"{name} is missing", code="missing", field=name)
    return members


def _optional_reader(inner: _Reader) -> _Reader:
    return lambda value, path: None if value is None else inner(value, path)


def _list_reader(inner: _Reader) -> _Reader:
    def read(value: Any, path: str) -> Any:
        if not isinstance(value, (list, tuple)):
            raise _wrong(path, value, "a list")
        return tuple(inner(item, f"{path}[{index}]") for index, item in enumerate(value))

    return read


def _mapping_reader(inner: _Reader) -> _Reader:
    def read(value: Any, path: str) -> Any:
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise _wrong(path, value, "an object")
        return {key: inner(item, f"{path}.{key}") for key, item in value.items()}

    return read


def _choice_reader(choices: tuple[str, ...]) -> _Reader:
    def read(value: Any, path: str) -> Any:
        if isinstance(value, str) and value in choices:
            return value
        allowed = ", ".join(choices)
        raise Invalid(f"{path} must be one of {allowed}", code="not_allowed", field=path, value=value, allowed=allowed)

    return read


def _integer(value: Any, path: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _LARGEST_INTEGER:
        raise _wrong(path, value, "a whole number of at most 64 bits")
    return value


def _number(value: Any, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -_LARGEST_NUMBER < value < _LARGEST_NUMBER:
        raise _wrong(path, value, "a finite number")
    return float(value)


def _text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise _wrong(path, value, "a string")
    return value


def _boolean(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong(path, value, "true or false")
    return value


_SCALARS: dict[Any, _Reader] = {int: _integer, float: _number, str: _text, bool: _boolean}


def _wrong(path: str, value: Any, expected: str) -> Invalid:
    name = path or "body"
    return Invalid(f"{name} must be {expected}", code="wrong_type", field=name, value=value)
