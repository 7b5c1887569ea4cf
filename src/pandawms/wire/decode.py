"""From outside bytes to typed values: the one place where msgspec's messages become field, value, allowed and hint."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from pandawms.domain.errors import Invalid, did_you_mean
from pandawms.wire.names import PATTERN_MEANINGS

T = TypeVar("T")

Step = str | int
_LOCATED = re.compile(r"^(?P<what>.*?)(?: - at (?P<key>`key` in )?`\$(?P<path>.*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>\d+)\]|(?P<any>\[\.\.\.\])")
_UNKNOWN = re.compile(r"unknown field `(?P<name>.*)`", re.DOTALL)
_MISSING = re.compile(r"missing required field `(?P<name>.*)`")
_TYPE = re.compile(r"^Expected `(?P<type>[^`]+)`(?:, got `(?P<got>[^`]+)`)?")
_BOUND = re.compile(r"(?P<length>of length )?(?P<sign>[<>]=?) (?P<bound>[-\d.e+]+)$")
_REGEX = re.compile(r"matching regex '(?P<regex>.*)'$", re.DOTALL)
_TYPE_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "a mapping of names to values",
    "null": "nothing",
}
_SHOWN_CHARACTERS = 200
QUOTES_HINT = "write it in quotes"
"""How a hint begins when something else stands where text must be."""


def decode(type_: type[T], raw: bytes | Mapping[str, Any]) -> T:
    """A value of `type_` from JSON bytes or from parsed YAML, TOML or JSON.

    Raises Invalid with the path of the wrong field (`inputs.events.count`), the value found there, what is allowed, and a hint;
    code is one of malformed, unknown_field, missing_field, wrong_type, out_of_range, not_allowed.
    """
    try:
        return _converted(type_, raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"the body is not JSON: {error}", code="malformed", hint="send one JSON object in UTF-8") from None


def _converted(type_: type[T], raw: bytes | Mapping[str, Any]) -> T:
    try:
        value = msgspec.json.decode(raw, type=type_) if isinstance(raw, bytes) else msgspec.convert(raw, type_)
    except msgspec.ValidationError as error:
        tree = msgspec.json.decode(raw) if isinstance(raw, bytes) else raw
        raise _explained(type_, tree, str(error)) from None
    _refuse_nul(raw)
    return value


def _refuse_nul(raw: bytes | Mapping[str, Any]) -> None:
    text = raw if isinstance(raw, bytes) else msgspec.json.encode(raw, enc_hook=str)
    if b"\\u0000" in text.replace(b"\\\\", b""):
        raise Invalid("text must not hold the character NUL", code="not_allowed", hint="remove \\u0000")


def _explained(type_: Any, tree: Any, message: str) -> Invalid:
    located = _LOCATED.match(message)
    what, path = (located["what"], located["path"] or "") if located else (message, "")
    steps = _steps(type_, tree, path, message)
    info = _type_at(inspect.type_info(type_), steps)
    if unknown := _UNKNOWN.search(what):
        return _unknown(info, tree, [*steps, unknown["name"]])
    if missing := _MISSING.search(what):
        return _missing(info, [*steps, missing["name"]])
    if located and located["key"]:
        return _wrong_key(what, tree, steps, type_, message)
    return _wrong_value(what, info, tree, steps)


def _unknown(info: inspect.Type | None, tree: Any, steps: list[Step]) -> Invalid:
    known = _field_names(info)
    near = did_you_mean(str(steps[-1]), known)
    return Invalid(
        f"{_dotted(steps)} is not a known field",
        code="unknown_field",
        field=_dotted(steps),
        value=_shown(_value_at(tree, steps)),
        allowed=", ".join(known),
        hint=f"did you mean {_dotted([*steps[:-1], near])}?" if near else f"known here: {', '.join(known)}",
    )


def _missing(info: inspect.Type | None, steps: list[Step]) -> Invalid:
    field = next((item for item in _fields(info) if item.encode_name == steps[-1]), None)
    allowed = _words_of(field.type) if field else None
    return Invalid(
        f"{_dotted(steps)} is missing",
        code="missing_field",
        field=_dotted(steps),
        allowed=allowed,
        hint=f"add {_dotted(steps)}",
    )


def _wrong_key(what: str, tree: Any, steps: list[Step], type_: Any, message: str) -> Invalid:
    key = _guilty_key(type_, tree, steps, message)
    allowed = _allowed(what, None)
    return Invalid(
        f"{key!r} cannot be a name in {_dotted(steps)}",
        code="not_allowed",
        field=_dotted(steps),
        value=_shown(key),
        allowed=allowed,
        hint=f"use {allowed}",
    )


def _wrong_value(what: str, info: inspect.Type | None, tree: Any, steps: list[Step]) -> Invalid:
    value = _value_at(tree, steps)
    allowed = _allowed(what, info)
    field = _dotted(steps) or "the document"
    typed = _TYPE.match(what)
    if typed and typed["got"]:
        quoted = "str" in typed["type"] and not isinstance(value, (str, list, Mapping)) and value is not None
        hint = _quotes_hint(value) if quoted else f"write {allowed} here"
        return Invalid(
            f"{field} must be {allowed}",
            code="wrong_type",
            field=_dotted(steps) or None,
            value=_shown(value),
            allowed=allowed,
            hint=hint,
        )
    bound = _BOUND.search(what)
    return Invalid(
        f"{field} {_verb(bound)} {allowed}",
        code="out_of_range" if bound else "not_allowed",
        field=_dotted(steps) or None,
        value=_shown(value),
        allowed=allowed,
        hint=_near_hint(value, info) or f"choose {allowed}",
    )


def _verb(bound: re.Match[str] | None) -> str:
    """What connects a field with what is allowed: the size of a list or text is had, all else is been."""
    if bound is None or not bound["length"]:
        return "must be"
    return "needs" if bound["sign"].startswith(">") else "may have"


def _quotes_hint(value: Any) -> str:
    """Only a whole number has one spelling; who wrote `no`, 3.10 or a date must be told without a guess, or from the source."""
    return f'{QUOTES_HINT}: "{value}"' if isinstance(value, int) and not isinstance(value, bool) else QUOTES_HINT


def _near_hint(value: Any, info: inspect.Type | None) -> str | None:
    plain = _without_none(info)
    if not isinstance(plain, inspect.LiteralType) or not isinstance(value, str):
        return None
    near = did_you_mean(value, [str(word) for word in plain.values])
    return f"did you mean {near}?" if near else None


def _allowed(what: str, info: inspect.Type | None) -> str:
    """What msgspec's message says would be right, in words."""
    if regex := _REGEX.search(what):
        return PATTERN_MEANINGS.get(regex["regex"].encode().decode("unicode_escape"), f"text that matches {regex['regex']}")
    typed, bound = _TYPE.match(what), _BOUND.search(what)
    if typed and bound:
        return _bound_words(typed["type"], bound)
    if typed:
        return " or ".join(_TYPE_WORDS.get(word, word) for word in typed["type"].split(" | ") if word != "null")
    plain = _without_none(info)
    if isinstance(plain, inspect.LiteralType):
        return ", ".join(str(word) for word in plain.values)
    return what[:1].lower() + what[1:]


def _bound_words(type_name: str, bound: re.Match[str]) -> str:
    words = {"<=": "at most", ">=": "at least", "<": "less than", ">": "more than"}[bound["sign"]]
    if not bound["length"]:
        return f"{words} {bound['bound']}"
    one, many = {"str": ("character", "characters"), "bytes": ("byte", "bytes")}.get(type_name, ("entry", "entries"))
    return f"{words} {bound['bound']} {one if bound['bound'] == '1' else many}"


def _words_of(type_: inspect.Type) -> str | None:
    plain = _without_none(type_)
    names: dict[type, str] = {
        inspect.IntType: "int",
        inspect.StrType: "str",
        inspect.BoolType: "bool",
        inspect.FloatType: "float",
    }
    if isinstance(plain, (inspect.StructType, inspect.DictType)):
        return _TYPE_WORDS["object"]
    if isinstance(plain, (inspect.ListType, inspect.VarTupleType)):
        return _TYPE_WORDS["array"]
    return _TYPE_WORDS.get(names.get(type(plain), ""))


def _steps(type_: Any, tree: Any, path: str, message: str) -> list[Step]:
    """The path as names and indices; where msgspec only says that some value of a mapping is wrong, the mapping is searched."""
    steps: list[Step] = []
    for match in _STEP.finditer(path):
        if match["name"] is not None:
            steps.append(match["name"])
        elif match["index"] is not None:
            steps.append(int(match["index"]))
        else:
            steps.append(_guilty_key(type_, tree, steps, message))
    return steps


def _guilty_key(type_: Any, tree: Any, steps: list[Step], message: str) -> str:
    """Which entry of the mapping at `steps` causes this message: the one that causes it when it is there alone."""
    entries = _value_at(tree, steps)
    if isinstance(entries, Mapping):
        for key, value in entries.items():
            try:
                msgspec.convert(_with(tree, steps, {key: value}), type_)
            except msgspec.ValidationError as error:
                if str(error) == message:
                    return str(key)
    return "..."


def _with(tree: Any, steps: list[Step], value: Any) -> Any:
    if not steps:
        return value
    head, rest = steps[0], steps[1:]
    if isinstance(tree, Mapping):
        return {key: _with(part, rest, value) if key == head else part for key, part in tree.items()}
    return [_with(part, rest, value) if index == head else part for index, part in enumerate(tree)]


def _value_at(tree: Any, steps: list[Step]) -> Any:
    for step in steps:
        if isinstance(tree, (list, tuple)):
            tree = dict(enumerate(tree))
        if not isinstance(tree, Mapping) or step not in tree:
            return None
        tree = tree[step]
    return tree


def _type_at(info: inspect.Type | None, steps: list[Step]) -> inspect.Type | None:
    for step in steps:
        info = _without_none(info)
        if isinstance(info, inspect.StructType):
            info = next((item.type for item in info.fields if item.encode_name == step), None)
        elif isinstance(info, inspect.DictType):
            info = info.value_type
        elif isinstance(info, (inspect.VarTupleType, inspect.ListType)):
            info = info.item_type
        else:
            return None
    return info


def _without_none(info: inspect.Type | None) -> inspect.Type | None:
    """The type without the alternatives that have no fields: what may be left out, and a short form in text."""
    if isinstance(info, inspect.Metadata):
        return _without_none(info.type)
    if isinstance(info, inspect.UnionType):
        parts = [part for part in info.types if not isinstance(part, inspect.NoneType)]
        return next((part for part in parts if isinstance(part, inspect.StructType)), parts[0] if parts else None)
    return info


def _fields(info: inspect.Type | None) -> tuple[inspect.Field, ...]:
    plain = _without_none(info)
    return plain.fields if isinstance(plain, inspect.StructType) else ()


def _field_names(info: inspect.Type | None) -> tuple[str, ...]:
    return tuple(field.encode_name for field in _fields(info))


def _dotted(steps: list[Step]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")


def _shown(value: Any) -> Any:
    """A value as an error may carry it: lists and mappings as JSON, long ones cut."""
    if isinstance(value, (bool, int, float)) or value is None:
        return value
    text = value if isinstance(value, str) else _json(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _json(value: Any) -> str:
    try:
        return msgspec.json.encode(value, enc_hook=str).decode()
    except (TypeError, ValueError):  # names that JSON cannot have, such as YAML's `no:`
        return str(value)
