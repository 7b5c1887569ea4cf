"""Files that go from one dataset to another; the counters of both follow."""

from collections.abc import Sequence
from typing import NamedTuple

from pandawms.store.database import Connection
from pandawms.store.sql import load

sql = load("moving")


class Stray(NamedTuple):
    """A file with the dataset that has it and the one that it belongs to."""

    file_id: int
    source_id: int
    target_id: int
    size_bytes: int
    events: int


async def move(connection: Connection, strays: Sequence[Stray]) -> None:
    """Moves files, which the caller has locked or alone moves, and locks the datasets concerned by their ids before these count them anew."""
    if not strays:
        return
    totals: dict[int, tuple[int, int, int]] = {}
    for stray in strays:
        for dataset_id, sign in ((stray.source_id, -1), (stray.target_id, 1)):
            n, size_bytes, n_events = totals.get(dataset_id, (0, 0, 0))
            totals[dataset_id] = n + sign, size_bytes + sign * stray.size_bytes, n_events + sign * stray.events
    files, sizes, events = zip(*totals.values(), strict=True)
    await sql.move_files(connection, file_ids=[stray.file_id for stray in strays], dataset_ids=[stray.target_id for stray in strays])
    await sql.lock_datasets(connection, dataset_ids=list(totals))
    await sql.count_datasets(connection, dataset_ids=list(totals), files=files, bytes=sizes, events=events)
