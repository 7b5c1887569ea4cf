"""Units that change in sets, and the counters of their inputs, which follow: units first, then counters, each locked by id before it is changed.

Every statement locks or changes rows of one table only. A statement that did all of it at once would be run anew, in its middle, for each row that somebody
else has just changed, and PostgreSQL 18.6 crashed in that (ADR 0032).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pandawms.store.database import Connection
from pandawms.store.sql import load

sql = load("counters")

COUNTERS = ("listed", "used", "finished", "failed", "events", "events_finished")


async def lock_units(connection: Connection, unit_ids: Sequence[int]) -> None:
    """Locks units by their ids; who locks ranges, too, has done so before."""
    if unit_ids:
        await sql.lock_units(connection, task_file_ids=unit_ids)


async def lock_inputs(connection: Connection, task_dataset_ids: Sequence[int]) -> None:
    """Locks the rows that have the counters of inputs."""
    await sql.lock_inputs(connection, task_dataset_ids=task_dataset_ids)


async def follow(connection: Connection, changes: Sequence[Mapping[str, Any]]) -> int:
    """Adds to the counters of inputs what has changed: each row names an input, `n` units, and some counters. Returns how many units these are."""
    totals: dict[int, Counter[str]] = {}
    for row in changes:
        totals.setdefault(row["task_dataset_id"], Counter()).update({name: int(row.get(name, 0)) for name in COUNTERS})
    if totals:
        await lock_inputs(connection, list(totals))
        await sql.add(connection, task_dataset_ids=list(totals), **{name: [total[name] for total in totals.values()] for name in COUNTERS})
    return sum(int(row["n"]) for row in changes)
