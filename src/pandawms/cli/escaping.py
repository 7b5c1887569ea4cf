"""Text that others wrote, made harmless for a terminal: control characters are shown, never sent."""

from __future__ import annotations

import re

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""C0, DEL and C1 without tab and line end; marks that turn the direction of text; halves of surrogate pairs."""


def escaped(text: str) -> str:
    r"""The text with control characters written as \x1b or \u202e; tabs and line ends stay."""
    return _CONTROL.sub(lambda found: _code(ord(found[0])), text)


def one_line(text: str) -> str:
    """The same in one line, blanks and line ends as single blanks."""
    return escaped(re.sub(r"[ \t\n]+|\r\n", " ", text).strip())


def escaped_json(text: str) -> str:
    r"""A JSON document with control characters inside its strings written as \u009b: still the same document."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _code(number: int) -> str:
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
