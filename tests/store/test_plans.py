"""What runs every second, and what ends or re-opens a task, costs what it finds and not what is stored: none of it reads a whole table that grows."""

import re
from typing import Any

from pandawms.store.database import Connection
from pandawms.store.sql import load
from tests.conftest import Database

ROWS = 20_000
FILLED = f"""
SET LOCAL session_replication_role = replica;
INSERT INTO task (community_id, owner_id, share_id, name, status, priority, ended_at, parent_task_id)
SELECT 1, 1, 1, 't' || i, 'done', 1, now(), i FROM generate_series(1, {ROWS}) i;
INSERT INTO dataset (community_id, owner_id, scope, name, producer_task_id) SELECT 1, 1, 's', 'd' || i, i FROM generate_series(1, {ROWS}) i;
INSERT INTO task_dataset (task_id, role, stream, is_master, n_listed, n_used, n_failed)
SELECT i, 'pseudo_input', 'events', true, 100, 100, 50 FROM generate_series(1, {ROWS // 20}) i;
INSERT INTO task_file (task_id, task_dataset_id, number, status, max_attempts)
SELECT task_id, task_dataset_id, i, CASE WHEN i < 20 THEN 'finished' ELSE 'failed' END, 0 FROM task_dataset, generate_series(1, 20) i;
INSERT INTO job (job_id, task_id, lease_expires_at, claim_id, community_id, share_id, queue_id, requirement_id, priority, attempt, status)
SELECT i, i % 100, CASE WHEN i < 100 THEN now() END, gen_random_uuid(), 1, 1, i % 10, 1, 1, 1,
    CASE WHEN i < 100 THEN 'running' WHEN i < 200 THEN 'defined' ELSE 'activated' END
FROM generate_series(1, {ROWS}) i;
INSERT INTO command (verb, task_id, asked_by, applied_at, answer) SELECT 'kill', i, 1, now(), '' FROM generate_series(1, {ROWS}) i;
INSERT INTO idempotency (user_id, key, request_hash, answer) SELECT 1, i, '', '{{}}' FROM generate_series(1, {ROWS}) i;
"""
GROWING = ("job", "task_file", "command", "idempotency", "task", "dataset")
QUERIES: dict[tuple[str, str], list[Any]] = {
    ("jobs", "unplaced"): [10],
    ("leases", "lock_expired"): [1000],
    ("leases", "lock_orphaned"): [1000],
    ("leases", "extend_leases"): [10.0],
    ("places", "shares"): [],
    ("places", "demand"): [1, 10],
    ("catalogue", "sandbox_in_use"): [1, "00"],
    ("catalogue", "close_outputs"): [1],
    ("commands", "take"): [1],
    ("idempotency", "drop_old"): [7],
    ("listing", "unlisted"): [100],
    ("tasks", "children"): [1],
    ("units", "open_units"): [1],
    ("units", "cancel_units"): [[1, 2, 3]],
    ("units", "failed"): [1],
    ("units", "reopen_failed"): [[1, 2, 3], 3],
    ("counters", "lock_units"): [[1, 2, 3]],
    ("units", "progress"): [1],
    ("reasons", "failed_units"): [1],
}


async def plan_of(connection: Connection, aggregate: str, name: str) -> str:
    """How a query is run; what it changes is undone."""
    undone = connection.transaction()
    await undone.start()
    rows = await connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS) {getattr(load(aggregate), name).sql}", *QUERIES[aggregate, name])
    await undone.rollback()
    return "\n".join(row[0] for row in rows)


async def test_no_frequent_query_reads_a_whole_table_that_grows(database: Database) -> None:
    found = {}
    async with database.pool.acquire() as connection:
        async with connection.transaction():
            await connection.execute(FILLED)
        await connection.execute("ANALYZE")
        for aggregate, name in QUERIES:
            plan = await plan_of(connection, aggregate, name)
            read = re.findall(rf"Seq Scan on (?:{'|'.join(GROWING)}) .*?actual time=\S+ rows=(\d+)", plan)
            read += re.findall(r"Rows Removed by Filter: (\d+)", plan)
            found[f"{aggregate}.{name}"] = max(map(int, read), default=0)
    assert {name: n for name, n in found.items() if n > ROWS // 10} == {}
