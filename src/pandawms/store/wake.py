"""NOTIFY: shortens the wait of stages and pilots. Once a transaction and name; nothing depends on it."""

from collections.abc import Collection

from pandawms.store.database import Connection

STAGES = "panda_stage"
QUEUES = "panda_queue"


async def stages(connection: Connection, *names: str) -> None:
    """Wakes these stages when the transaction commits."""
    await _notify(connection, STAGES, sorted(set(names)))


async def queues(connection: Connection, queue_ids: Collection[int]) -> None:
    """Wakes the claims that wait for these queues when the transaction commits."""
    await _notify(connection, QUEUES, [str(queue_id) for queue_id in sorted(set(queue_ids))])


async def _notify(connection: Connection, channel: str, names: Collection[str]) -> None:
    if names:
        await connection.execute("SELECT pg_notify($1, n) FROM unnest($2::text[]) AS a (n)", channel, names)
