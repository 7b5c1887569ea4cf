"""A document that is being made of task parameters, with the account of what became of each key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Imported:
    """A document, and the account: the field that each key went to, why others went nowhere, and what was assumed on the way.

    Keys of items are written as jobParameters[3].dataset.
    """

    document: dict[str, Any]
    mapped: dict[str, str]
    unmapped: dict[str, str]
    notes: dict[str, str]


@dataclass
class Draft:
    """The parameters, and what was made of them so far."""

    params: Mapping[str, Any]
    document: dict[str, Any] = field(default_factory=dict)
    mapped: dict[str, str] = field(default_factory=dict)
    unmapped: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def given(self, key: str) -> Any:
        """The value of a key; None when it is absent or null."""
        return self.params.get(key)

    def map(self, key: str, path: str, value: Any = None) -> None:
        """Notes that a key went to a field, and sets the field when there is a value and the field has one place ("inputs, skip" has not)."""
        self.mapped[key] = path
        self.unmapped.pop(key, None)
        if value is not None and ", " not in path:
            self.put(path, value)

    def put(self, path: str, value: Any) -> None:
        """Sets a field by its path."""
        place = self.document
        *above, last = path.split(".")
        for name in above:
            place = place.setdefault(name, {})
        place[last] = value

    def drop(self, key: str, why: str) -> None:
        """Notes why a key went nowhere."""
        if key not in self.mapped:
            self.unmapped[key] = why

    def note(self, key: str, text: str) -> None:
        """Notes what was assumed about a key that is mapped."""
        self.notes[key] = text

    def truth(self, key: str) -> bool:
        """Whether a switch is on: PanDA has true, 1, "1" and "True"."""
        return str(self.given(key)).strip().lower() in ("true", "1", "yes", "on")

    def number(self, key: str) -> float | None:
        """A number; what is none is dropped with the reason. None when it is absent."""
        value = self.given(key)
        if value is None or key in self.mapped:
            return None
        try:
            found = float(value)
        except (TypeError, ValueError):
            found = float("nan")
        if found != found or abs(found) > 1e15:
            self.drop(key, f"{value!r} is not a number")
            return None
        return found

    def whole(self, key: str, path: str, low: int, high: int, factor: float = 1) -> int | None:
        """A whole number between two limits, put into a field; moved to the nearer limit where it is outside. Not positive means not given."""
        found = self.number(key)
        if found is None:
            return None
        if found < low:
            self.drop(key, f"{self.given(key)} means that it is not given")
            return None
        value = min(high, max(low, round(found * factor)))
        if value != round(found * factor):
            self.note(key, f"{self.given(key)} is lowered to {high}")
        self.map(key, path, value)
        return value
