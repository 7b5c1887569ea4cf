"""Errors of the domain survive the way over the wire."""

from __future__ import annotations

import msgspec
import pytest

from pandawms.domain.errors import KINDS, Invalid, Limit, PandaError
from pandawms.wire.problem import Problem, error_of, kind_of_status, problem_of


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_comes_back_as_itself(kind: type[PandaError]) -> None:
    part = Invalid("also", code="y", field="b")
    error = kind("what", code="x", field="a", value=[1], allowed="2", hint="do", errors=[part])
    back = error_of(msgspec.json.decode(msgspec.json.encode(problem_of(error, "r1")), type=Problem))
    assert type(back) is kind
    assert (back.detail, back.code, back.field, back.value, back.allowed, back.hint) == (
        "what",
        "x",
        "a",
        [1],
        "2",
        "do",
    )
    assert [inner.field for inner in back.errors] == ["b"]


def test_the_status_follows_code_and_kind() -> None:
    assert problem_of(Limit("slow down", code="rate_limited")).status == 429
    assert problem_of(Limit("too large", code="too_large")).status == 413


def test_a_foreign_answer_is_taken_by_its_status() -> None:
    assert [kind_of_status(status).kind for status in (400, 401, 404, 409, 429, 502)] == [
        "invalid",
        "denied",
        "not_found",
        "conflict",
        "limit",
        "unavailable",
    ]
