"""Pages of lists: the cursor is the id of the last item, wrapped so that nobody takes it for more."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Annotated, Any, TypeVar

from litestar.params import QueryParameter

from pandawms.api.call import Call
from pandawms.domain.errors import Invalid, did_you_mean
from pandawms.store import ids, lists
from pandawms.store.lists import Listing
from pandawms.wire.page import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, Page

Row = TypeVar("Row")
Item = TypeVar("Item")

PageSize = Annotated[int, QueryParameter(ge=1, le=MAX_PAGE_SIZE, description=f"Items a page, {DEFAULT_PAGE_SIZE} unless given.")]
Cursor = Annotated[str | None, QueryParameter(max_length=100, description="The next_cursor of the page before.")]
Statuses = Annotated[str | None, QueryParameter(max_length=1000, description="One status, or several with commas between.")]
TextFilter = Annotated[str | None, QueryParameter(max_length=300)]
Count = Annotated[int | None, QueryParameter(ge=1, le=100_000, description="How many of the last lines.")]
IdFilter = Annotated[int | None, QueryParameter(ge=1, le=ids.BIGINT)]


def cursor_of(item_id: int) -> str:
    """Returns the cursor behind an item."""
    return base64.urlsafe_b64encode(f"after:{item_id}".encode()).decode().rstrip("=")


def after(cursor: str | None) -> int | None:
    """Returns the id in a cursor, None for none. Raises Invalid when we did not make it."""
    if cursor is None:
        return None
    try:
        word, _, number = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii").partition(":")
        item_id = int(number) if number.isdecimal() else -1
    except (ValueError, binascii.Error):
        word, item_id = "", -1
    if word != "after" or not 0 <= item_id <= ids.BIGINT:
        raise Invalid(
            "this cursor was not made here", code="not_allowed", field="cursor", value=cursor, allowed="the next_cursor of a page, unchanged",
            hint="leave it out to begin with the first page",
        )  # fmt: skip
    return item_id


def statuses(given: str | None, known: Collection[str], field: str = "status") -> list[str] | None:
    """Returns the words of a filter by status. Raises Invalid for a word that is no status, with all that are."""
    if given is None:
        return None
    words = [word.strip() for word in given.split(",") if word.strip()]
    for word in words:
        if word not in known:
            near = did_you_mean(word, known)
            raise Invalid(
                f"{word[:100]} is no status", code="not_allowed", field=field, value=word[:100], allowed=", ".join(known),
                hint=f"did you mean {near}?" if near else "choose one of those allowed",
            )  # fmt: skip
    return words or None


async def rows_of(call: Call, listing: Listing[Row], filters: Mapping[str, object], limit: int, cursor: str | None) -> tuple[list[Row], str | None]:
    """Returns the rows of one page and the cursor of the next."""
    behind = after(cursor)
    async with call.core.reading() as connection:
        rows = await lists.page(connection, listing, filters, behind, limit + 1, call.core.options.list_seconds)
    more = len(rows) > limit
    return rows[:limit], cursor_of(getattr(rows[limit - 1], listing.key)) if more else None


async def page_of(call: Call, listing: Listing[Row], filters: Mapping[str, object], limit: int, cursor: str | None, view: Callable[[Row], Item]) -> Page[Item]:
    """Returns one page of a list as it is shown."""
    rows, following = await rows_of(call, listing, filters, limit, cursor)
    return Page(items=tuple(view(row) for row in rows), next_cursor=following)


def whole(items: Sequence[Any]) -> Page[Any]:
    """Returns a list that is always short, as its only page."""
    return Page(items=tuple(items))
