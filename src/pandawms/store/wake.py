"""NOTIFY: shortens the wait of stages and pilots. Once a transaction and name; nothing depends on it."""

from collections.abc import Collection

from pandawms.store.database import Connection

STAGES = "panda_stage"
QUEUES = "panda_queue"


async def stages(connection: Connection, *names: str) -> None:
    """Wakes these stages when the transaction commits."""
    for name in sorted(set(names)):
        await connection.execute("SELECT pg_notify($1, $2)", STAGES, name)


async def queues(connection: Connection, queue_ids: Collection[int]) -> None:
    """Wakes the claims that wait for these queues when the transaction commits."""
    for queue_id in sorted(set(queue_ids)):
        await connection.execute("SELECT pg_notify($1, $2)", QUEUES, str(queue_id))
