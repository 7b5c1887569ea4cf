"""What the benchmark asks of the database beside what everybody asks: how full it is, a big archive at once, and what was written."""

from collections.abc import Collection

from pandawms.store.database import Connection
from pandawms.store.sql import load

sql = load("bench")

PARTITION = 1_000_000


async def n_ready(connection: Connection, queues: Collection[str]) -> int:
    """Returns how many jobs wait in these queues to be claimed."""
    return int(await sql.n_ready(connection, queues=list(queues)))


async def n_jobs_of(connection: Connection, task_ids: Collection[int]) -> int:
    """Returns how many jobs these tasks have, whatever their status."""
    return int(await sql.n_jobs_of(connection, task_ids=list(task_ids)))


async def n_archived(connection: Connection) -> int:
    """Returns about how many rows the archive has, as of its last ANALYZE."""
    return int(await sql.n_archived(connection))


async def put_task_in_share(connection: Connection, task_id: int, share_id: int) -> None:
    """Moves a task that has no jobs yet to another share."""
    await sql.put_task_in_share(connection, task_id=task_id, share_id=share_id)


async def start_job_ids_at(connection: Connection, job_id: int) -> None:
    """Lets the next job have this id, with partitions for it, unless ids have come further."""
    await sql.make_partitions_from(connection, job_id=job_id)
    await sql.start_job_ids_at(connection, job_id=job_id)


async def fill_archive(connection: Connection, first_id: int, last_id: int, queue_id: int) -> None:
    """Puts jobs that ended long ago into the archive, with these ids, all within one partition; their specs count as exported."""
    await sql.make_archive_partition(connection, job_id=first_id)
    async with connection.transaction():
        await sql.fill_archive(connection, first_id=first_id, last_id=last_id, queue_id=queue_id)
        await sql.retire(connection, first_id=first_id, last_id=last_id)


async def settle(connection: Connection) -> None:
    """Leaves tidy tables, fresh statistics and nothing to be written out: the same start for every run. Not within a transaction."""
    await connection.execute("VACUUM (ANALYZE)")
    await connection.execute("CHECKPOINT")


async def wal_bytes(connection: Connection) -> int:
    """Returns how many bytes of write-ahead log have ever been written."""
    return int(await sql.wal_bytes(connection))


async def backend_pid(connection: Connection) -> int:
    """Returns the process of the server that serves this connection."""
    return int(await sql.backend_pid(connection))
