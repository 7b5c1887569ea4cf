"""How the checks of a document say what is wrong: one field, or two that cannot both be right. Pure."""

from __future__ import annotations

from pandawms.domain.errors import Invalid


def wrong(field: str, value: object, allowed: str, hint: str, code: str) -> Invalid:
    """A value that is wrong by itself."""
    return Invalid(f"{field} must be {allowed}", code=code, field=field, value=value, allowed=allowed, hint=hint)


def missing(field: str, allowed: str, hint: str, why: str = "") -> Invalid:
    """A field that must be there; `why` names the other field that asks for it."""
    return Invalid(f"{field} is missing{f': {why}' if why else ''}", code="missing_field", field=field, allowed=allowed, hint=hint)


def clash(field: str, value: object, other: str, why: str, *, allowed: str | None = None, hint: str | None = None, code: str = "contradiction") -> Invalid:
    """Two fields that cannot both be as they are; `why` is what the one says against the other."""
    return Invalid(
        f"{field} contradicts {other}: {why}", code=code, field=field, value=value, allowed=allowed or f"one of {field} and {other}",
        hint=hint or f"leave out {field} or {other}",
    )  # fmt: skip


def number(value: float) -> str:
    """A number as people write it."""
    return f"{value:g}" if isinstance(value, float) else str(value)
