"""Pieces of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; bars inside cells are escaped."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def sentence(text: str) -> str:
    """The text with a capital and a full stop."""
    return text[:1].upper() + text[1:] + "."


def page(parts: Iterable[str]) -> str:
    """Parts with an empty line between them."""
    return "\n\n".join(part.strip() for part in parts) + "\n"


def generated(source: str) -> str:
    """The note at the head of a generated page."""
    return f"<!-- Generated from {source} by `make docs`. Do not edit. -->"
