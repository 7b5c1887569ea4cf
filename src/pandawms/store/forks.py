"""Forks: units and files of one task that are shared with a copy of it."""

from pandawms.store.database import Connection
from pandawms.store.sql import load

sql = load("forks")


async def has_archived(connection: Connection, task_id: int) -> bool:
    """Whether finished jobs of a task have left the database for files, so that what they wrote is not known here."""
    return bool(await sql.has_archived(connection, task_id=task_id))


async def share_units(connection: Connection, from_dataset_id: int, task_id: int, task_dataset_id: int, max_attempts: int) -> None:
    """Lists the units of an input in another task: finished ones as finished, all others as ready, with the same numbers and events."""
    await sql.share_units(connection, from_dataset_id=from_dataset_id, task_id=task_id, task_dataset_id=task_dataset_id, max_attempts=max_attempts)


async def share_files(connection: Connection, from_task_id: int, task_id: int) -> int:
    """Puts what was written for the shared units into the outputs of the other task, by stream; returns how many files."""
    return int(await sql.share_files(connection, from_task_id=from_task_id, task_id=task_id))


async def note(connection: Connection, from_task_id: int, task_id: int) -> None:
    """Keeps of which task another is a fork."""
    await sql.note(connection, from_task_id=from_task_id, task_id=task_id)
