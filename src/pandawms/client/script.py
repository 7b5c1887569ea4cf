"""Calls as scripts: what the client does, written once, without doing any I/O itself.

A script is a generator. It yields steps (send this, wait so long, here is an item), gets the result of each step back, and
returns its value. Two small runners carry scripts out, one in plain code and one in asyncio, so that retries, paging, waiting
and streams exist once for both clients.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

T = TypeVar("T")
Item = TypeVar("Item")


class Lost(Exception):
    """No answer, or only a part of one: whether the server did what was asked is unknown."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, relative to the base URL. A body that is a path is streamed from that file."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | Path | None = None
    read_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer; header names are lower-case."""

    status: int
    headers: dict[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Exchange:
    """Step: send, and give back the whole Reply; throws Lost into the script."""

    request: Request


@dataclass(frozen=True, slots=True)
class Open:
    """Step: send, and give back the Reply, its body empty when it is a success: Read gives it in parts; throws Lost."""

    request: Request


@dataclass(frozen=True, slots=True)
class Read:
    """Step: the next part of what was opened last, empty at its end; throws Lost."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Step: wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Emit(Generic[Item]):
    """Step: hand an item to the caller, of scripts that are iterated."""

    item: Item


Step: TypeAlias = Exchange | Open | Read | Pause | Emit[Any]
Script: TypeAlias = Generator[Step, Any, T]
