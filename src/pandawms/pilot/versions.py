"""Version specifiers such as `>=3.11,<3.14`, as far as interpreters need them (a part of PEP 440)."""

from __future__ import annotations

import re

from pandawms.domain.errors import Invalid

_CLAUSE = re.compile(r"(>=|<=|==|!=|~=|>|<|)\s*(\d+(?:\.\d+)*)(\.\*)?")


def satisfies(version: str, specifier: str) -> bool:
    """Whether `version` meets every clause; an empty specifier is met by all, a bare `3.11` by every 3.11.x.

    Raises Invalid for a clause that is none.
    """
    clauses = [clause.strip() for clause in specifier.split(",") if clause.strip()]
    return all(_meets(_numbers(version), clause) for clause in clauses)


def _meets(version: tuple[int, ...], clause: str) -> bool:
    match = _CLAUSE.fullmatch(clause)
    if match is None:
        raise Invalid(f"{clause!r} is no version clause", code="bad_version", field="environment.python", value=clause)
    operator, wanted = match[1], _numbers(match[2])
    prefix = version[: len(wanted)]
    if operator == "" or match[3]:
        return (prefix == wanted) != (operator == "!=")
    if operator == "~=":
        return prefix[:-1] == wanted[:-1] and version >= wanted
    padded, limit = _padded(version, wanted)
    return {
        ">=": padded >= limit,
        "<=": padded <= limit,
        "==": padded == limit,
        "!=": padded != limit,
        ">": padded > limit,
        "<": padded < limit,
    }[operator]


def _padded(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    length = max(len(one), len(other))
    return one + (0,) * (length - len(one)), other + (0,) * (length - len(other))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
