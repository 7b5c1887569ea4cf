"""One page of a list. The cursor is opaque: give it back unchanged to get the next page."""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

Item = TypeVar("Item")

DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 1000


class Page(msgspec.Struct, Generic[Item], frozen=True, kw_only=True):
    """The items of this page, and the cursor of the next one (None on the last page)."""

    items: tuple[Item, ...]
    next_cursor: str | None = None
