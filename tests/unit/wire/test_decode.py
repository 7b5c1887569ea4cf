"""What a mistake in a task document is told as: field, value, allowed, hint."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pandawms.domain.errors import Invalid
from pandawms.wire.checks import decode_document
from pandawms.wire.decode import decode
from pandawms.wire.token import TokenRequest


def document(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "name": "z-evgen",
        "program": {"command": "python gen.py %EVENTS %OUT"},
        "inputs": {"events": {"count": 6000}},
        "split": {"events_per_job": 500},
        "outputs": {"muons": "muons.root"},
    }
    return base | changes


def refusal(raw: Any) -> Invalid:
    with pytest.raises(Invalid) as caught:
        decode_document(raw)
    return caught.value


def test_a_right_document_comes_out_of_a_mapping_and_of_json() -> None:
    assert decode_document(document()) == decode_document(msgspec.json.encode(document()))


def test_the_order_of_streams_is_kept() -> None:
    outputs = {"zz": "z.root", "aa": "a.root", "mm": "m.root"}
    assert list(decode_document(msgspec.json.encode(document(outputs=outputs))).outputs) == ["zz", "aa", "mm"]


@pytest.mark.parametrize(
    ("changes", "field", "value", "code", "allowed", "hint"),
    [
        ({"inptus": {}}, "inptus", "{}", "unknown_field", "inputs", "did you mean inputs?"),
        (
            {"retry": {"max_atempts": 3}},
            "retry.max_atempts",
            3,
            "unknown_field",
            "max_attempts",
            "did you mean retry.max_attempts?",
        ),
        ({"retry": {"zzz": 3}}, "retry.zzz", 3, "unknown_field", "max_attempts", "known here: max_attempts"),
        ({"build": {"output": "x"}}, "build.command", None, "missing_field", "text", "add build.command"),
        (
            {"inputs": {"events": {"count": 0}}},
            "inputs.events.count",
            0,
            "out_of_range",
            "at least 1",
            "choose at least 1",
        ),
        (
            {"inputs": {"events": {"count": "many"}}},
            "inputs.events.count",
            "many",
            "wrong_type",
            "a whole number",
            "write a whole number",
        ),
        (
            {"resources": {"cores": 5000}},
            "resources.cores",
            5000,
            "out_of_range",
            "at most 1024",
            "choose at most 1024",
        ),
        (
            {"environment": {"variables": {"A": "1", "B": 2}}},
            "environment.variables.B",
            2,
            "wrong_type",
            "text",
            'in quotes: "2"',
        ),
        (
            {"environment": {"variables": {"A": "1", "B-C": "2"}}},
            "environment.variables",
            "B-C",
            "not_allowed",
            "letters",
            "use letters",
        ),
        ({"environment": {"packages": ["a", 3]}}, "environment.packages[1]", 3, "wrong_type", "text", 'in quotes: "3"'),
        (
            {"environment": {"packages": "numpy"}},
            "environment.packages",
            "numpy",
            "wrong_type",
            "a list",
            "write a list",
        ),
        (
            {"outputs": {"a": "x.root", "b": "no/slash"}},
            "outputs.b",
            "no/slash",
            "not_allowed",
            "a plain file name",
            "a plain file name",
        ),
        ({"outputs": {"Bad": "x.root"}}, "outputs", "Bad", "not_allowed", "lower-case", "use lower-case"),
        ({"name": "two words"}, "name", "two words", "not_allowed", "letters, digits", "choose letters"),
        ({"name": "line-end\n"}, "name", "line-end\n", "not_allowed", "letters, digits", "choose letters"),
        ({"name": ""}, "name", "", "out_of_range", "at least 1 character", "choose at least 1 character"),
        ({"inputs": {}}, "inputs", "{}", "out_of_range", "at least 1 entry", "choose at least 1 entry"),
        ({"name": None}, "name", None, "wrong_type", "text", "write text here"),
    ],
)
def test_a_mistake_names_field_value_allowed_and_hint(changes: dict[str, Any], field: str, value: Any, code: str, allowed: str, hint: str) -> None:
    for raw in (document(**changes), msgspec.json.encode(document(**changes))):
        error = refusal(raw)
        assert (error.field, error.value, error.code) == (field, value, code)
        assert allowed in str(error.allowed)
        assert hint in str(error.hint)


def test_a_missing_field_at_the_top_is_named() -> None:
    assert refusal({"name": "x"}).field == "program"


def test_a_word_that_is_not_in_a_list_is_answered_with_the_list() -> None:
    with pytest.raises(Invalid) as caught:
        decode(TokenRequest, {"scopes": ["user", "operater"]})
    assert caught.value.field == "scopes[1]"
    assert caught.value.allowed == "pilot, user, operator" or set(str(caught.value.allowed).split(", ")) == {
        "pilot",
        "user",
        "operator",
    }
    assert caught.value.hint == "did you mean operator?"


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_is_not_json_is_malformed(raw: bytes) -> None:
    assert refusal(raw).code in ("malformed", "wrong_type")


def test_a_list_instead_of_a_document_is_a_wrong_type() -> None:
    error = refusal(b"[1]")
    assert error.code == "wrong_type"
    assert error.field is None


def test_the_character_nul_is_refused_and_a_backslash_is_not() -> None:
    assert refusal(document(description="a\0b")).code == "not_allowed"
    assert decode_document(document(description="a\\u0000b")).description == "a\\u0000b"


def test_long_values_are_cut_in_the_error() -> None:
    assert len(str(refusal(document(name="x" * 5000)).value)) == 201


def test_how_many_entries_are_needed_is_said_in_a_sentence() -> None:
    assert refusal(document(inputs={})).detail == "inputs needs at least 1 entry"
    assert refusal(document(name="")).detail == "name needs at least 1 character"
    assert refusal(document(name="x" * 101)).detail == "name may have at most 100 characters"


@pytest.mark.parametrize("value", [True, 3.1, None, ["a"], {"a": True}])
def test_only_a_whole_number_is_shown_as_the_text_it_must_have_been(value: Any) -> None:
    hint = "write it in quotes" if isinstance(value, (bool, float)) else "write text here"
    assert refusal(document(name=value)).hint == hint


def test_a_mapping_in_an_error_is_json_as_it_was_given() -> None:
    assert refusal(document(name={"a": True, "b": None})).value == '{"a":true,"b":null}'
    assert refusal(document(name={True: 1})).value
