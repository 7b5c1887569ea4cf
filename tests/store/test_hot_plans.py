"""The statements of the hot path read what they need and no more: at 10, 10^4 and 10^6 ready jobs, with statistics of another time.

The trap that this keeps away (one wrong guess of the planner made a claim 150 times slower) is told in docs/explanation/hot-path.md.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from inspect import signature
from typing import Any
from uuid import UUID

import pytest

from pandawms.domain.job import JobEvent, JobStatus
from pandawms.domain.outcome import SUCCESS
from pandawms.store import database as db
from pandawms.store import endings
from pandawms.store.database import Connection
from pandawms.store.endings import Ending, Written
from pandawms.store.sql import load
from tests.conftest import Database

SIZES = (10, 10_000, 1_000_000)
READY = """
INSERT INTO job (job_id, task_id, community_id, share_id, queue_id, requirement_id, priority, attempt, status)
SELECT i, i / 10000, 1, 1 + i % 3, 1 + i % 2, 1 + i % 5, 1000 - i / 10000, 1, 'activated' FROM generate_series($1::bigint, $2::bigint) i
"""
HELD = """
INSERT INTO job (job_id, task_id, community_id, share_id, queue_id, requirement_id, priority, attempt, status, claim_id, claim_n, lease_expires_at)
SELECT -i, 1, 1, 1, 1, 1, 1000, 1, 'running', lpad(to_hex(i), 32, '0')::uuid, 0, now() FROM generate_series(1, 300) i
"""
SPECS = """
WITH spec AS (INSERT INTO job_spec (job_id, task_id, version, kind, attempt, serial, n_inputs)
    SELECT i, 1, 1, 'run', 1, i, 1 FROM generate_series(1, 20000) i),
files AS (INSERT INTO job_file (job_id, n, task_id, role, task_dataset_id, task_file_id, file_id)
    SELECT i, 0, 1, 'input', 1, i, i FROM generate_series(1, 20000) i),
units AS (INSERT INTO task_file (task_file_id, task_id, task_dataset_id, file_id, number, status, max_attempts, job_id) OVERRIDING SYSTEM VALUE
    SELECT i, 1, 1, i, i, 'running', 3, i FROM generate_series(1, 20000) i)
INSERT INTO file (file_id, dataset_id, scope, name, guid, size_bytes, adler32) OVERRIDING SYSTEM VALUE
SELECT i, 1, 's', 'f' || i, gen_random_uuid(), 1, '\\x00000000' FROM generate_series(1, 20000) i
"""
PARTITIONED = ("job_spec", "job_file")
N = 16


@asynccontextmanager
async def connected(url: str, *, hot: bool) -> AsyncIterator[Connection]:
    """A connection of the hot path, or an ordinary one."""
    async with db.open_pool(db.Options(url), "test", hot=hot) as pool, pool.acquire() as connection:
        yield connection


async def plan_of(connection: Connection, aggregate: str, name: str, **given: Any) -> list[dict[str, Any]]:
    """The nodes of the plan by which a statement ran; what it changed is undone."""
    query = getattr(load(aggregate), name)
    values = [given[parameter] for parameter in signature(query).parameters if parameter != "self"]
    undone = connection.transaction()
    await undone.start()
    text = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {query.sql}", *values)
    await undone.rollback()
    (plan,) = json.loads(text) if isinstance(text, str) else text
    return nodes(plan["Plan"])


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """All nodes of a plan."""
    return [plan, *(node for child in plan.get("Plans", ()) for node in nodes(child))]


def rows_read(plan: list[dict[str, Any]]) -> int:
    """The most rows that one scan of a table gave or threw away, all its loops together."""
    scans = [node for node in plan if "Relation Name" in node and "Scan" in node["Node Type"]]
    return max((round((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]) for node in scans), default=0)


def claim(n: int = N, spare: int = 32) -> dict[str, Any]:
    """The parameters of a claim of n jobs in each of two queues, three of five classes, three shares."""
    return {
        "queue_ids": [1, 2], "slots": [0, 1], "counts": [n, n], "starts": [0, n], "class_slots": [0, 0, 0, 1, 1, 1], "classes": [1, 2, 3, 1, 2, 3],
        "share_ids": [3, 1, 2], "claim_ids": [UUID(int=10**6 + i) for i in range(2 * n)], "claim_ns": [0] * 2 * n, "worker_ids": [None] * 2 * n,
        "spare": spare, "lease_seconds": 30.0,
    }  # fmt: skip


@pytest.mark.parametrize("analyzed_at", [0, 10, 1_000_000])
async def test_a_claim_reads_a_few_entries_for_each_job_that_it_gives_however_many_are_ready(database: Database, analyzed_at: int) -> None:
    found = {}
    async with connected(database.url, hot=True) as connection, connected(database.url, hot=False) as writer:
        await writer.execute("ALTER TABLE job SET (autovacuum_enabled = false)")
        filled = 0
        if analyzed_at == 0:
            await writer.execute("ANALYZE job")
        for size in SIZES:
            await writer.execute(READY, filled + 1, size)
            filled = size
            if size == analyzed_at:
                await writer.execute("ANALYZE job")
            plan = await plan_of(connection, "leases", "claim", **claim())
            assert not [node for node in plan if node["Node Type"] == "Seq Scan"], f"at {size}"
            assert [node["Index Name"] for node in plan if node.get("Index Name") == "job_ready"] == ["job_ready"], f"at {size}"
            found[size] = rows_read(plan)
    wanted, classes, shares = 2 * N, 3, 3
    assert max(found.values()) <= (wanted + 2 * 32) * classes * shares, found


@pytest.mark.parametrize("analyzed", ["never", "before any was claimed", "now"])
@pytest.mark.parametrize("hot", [True, False])
async def test_heartbeats_and_reports_read_only_the_jobs_that_they_name(database: Database, analyzed: str, hot: bool) -> None:
    async with connected(database.url, hot=hot) as connection, connected(database.url, hot=False) as writer:
        for table in ("job", "job_spec", "job_file", "task_file", "file"):
            await writer.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)" if table not in PARTITIONED else "SELECT 1")
        await writer.execute(READY, 1, 20_000)
        if analyzed == "before any was claimed":
            await writer.execute("ANALYZE")
        await writer.execute(HELD)
        await writer.execute(SPECS)
        if analyzed == "now":
            await writer.execute("ANALYZE")
        job_ids, claims = [-i for i in range(N, 0, -1)], [UUID(int=i) for i in range(N, 0, -1)]
        plans = {
            "beat": await plan_of(
                connection, "leases", "beat", job_ids=job_ids, claim_ids=claims, statuses=["running"] * N, queue_ids=[1] * N, lease_seconds=30.0
            ),
            "specs": await plan_of(connection, "jobs", "specs", job_ids=list(range(100, 100 + N)), low=100, high=100 + N),
        }  # fmt: skip
    assert {name: rows_read(plan) for name, plan in plans.items() if rows_read(plan) > 2 * N} == {}


LISTED = """
INSERT INTO task_file (task_file_id, task_id, task_dataset_id, file_id, number, status, max_attempts, is_ranged) OVERRIDING SYSTEM VALUE
SELECT i, 2, 2, i, i, 'ready', 3, true FROM generate_series(20001, 40000) i
"""


@pytest.mark.parametrize("analyzed", ["before they were listed", "now"])
async def test_the_units_of_new_jobs_are_looked_up_and_not_compared_with_all_others(database: Database, analyzed: str) -> None:
    async with connected(database.url, hot=False) as connection:
        await connection.execute("ALTER TABLE task_file SET (autovacuum_enabled = false)")
        await connection.execute(SPECS)
        await connection.execute("ANALYZE")
        await connection.execute(LISTED)
        if analyzed == "now":
            await connection.execute("ANALYZE")
        n, ids = 5000, list(range(20_001, 25_001))
        plan = await plan_of(
            connection, "jobs", "add_inputs", task_id=2, job_ids=ids, ns=[0] * n, task_dataset_ids=[2] * n, task_file_ids=ids, file_ids=ids
        )  # fmt: skip
    (joined,) = (node for node in plan if node["Node Type"] in ("Hash Join", "Merge Join", "Nested Loop") and node["Actual Rows"] == n)
    assert joined["Plan Rows"] > n / 10, "who expects one unit may compare all with all: 5,000 inputs took two minutes"
    work = max(node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Join Filter", 0)) for node in plan)
    assert work <= 50 * n, f"the largest step touched {work:.0f} rows for {n} inputs"


LEASE = """
UPDATE job SET status = 'running', claim_id = lpad(to_hex(job_id), 32, '0')::uuid, claim_n = 0, lease_expires_at = now() WHERE job_id BETWEEN 100 AND 115
"""
EXPLAINED = ("log_min_duration = 0", "log_nested_statements = on", "log_analyze = on", "log_format = json", "log_level = notice")


@asynccontextmanager
async def plans_told(connection: Connection) -> AsyncIterator[list[dict[str, Any]]]:
    """Gathers the nodes of the plans of all statements that run in the block, those inside functions, too."""
    told: list[dict[str, Any]] = []

    def hear(_connection: object, message: Any) -> None:
        found = message.message.partition("plan:\n")[2]
        told.extend(nodes(json.loads(found)["Plan"]) if found else ())

    await connection.execute("LOAD 'auto_explain'")
    for setting in EXPLAINED:
        await connection.execute(f"SET auto_explain.{setting}")
    connection.add_log_listener(hear)
    try:
        yield told
    finally:
        connection.remove_log_listener(hear)


@pytest.mark.parametrize("analyzed", ["never", "before any was claimed", "now"])
@pytest.mark.parametrize("hot", [True, False])
async def test_the_end_of_jobs_reads_only_their_rows(database: Database, analyzed: str, hot: bool) -> None:
    async with connected(database.url, hot=hot) as connection, connected(database.url, hot=False) as writer:
        await writer.execute(READY, 1, 20_000)
        if analyzed == "before any was claimed":
            await writer.execute("ANALYZE")
        await writer.execute(LEASE)
        await writer.execute(SPECS)
        if analyzed == "now":
            await writer.execute("ANALYZE")
        await writer.execute("SELECT setval('file_file_id_seq', 100000)")
        ends = {(i, f"{i:032x}", 1 + i % 2): Ending(i, JobEvent.FINISH, JobStatus.FINISHED, SUCCESS) for i in range(100, 100 + N)}
        written = {key: [Written(key[0], 1, 1, 1, 1, 1, "s", f"out{key[0]}", str(UUID(int=key[0])), 1, b"1234", None, "finished")] for key in ends}
        async with plans_told(connection) as told:
            assert await endings.end_leased(connection, ends, written, "test") == ends.keys()
    assert {node["Relation Name"] for node in told if "Relation Name" in node} >= {"job", "task_file", "dataset", "task_dataset"}
    assert rows_read([node for node in told if not node.get("Relation Name", "").startswith("pg_")]) <= 2 * N  # the driver looks up types


async def test_a_heartbeat_and_the_steps_of_a_running_job_rewrite_no_index(database: Database) -> None:
    async with database.pool.acquire() as connection:
        await connection.execute(READY, 1, 5)
        await connection.execute(HELD)
        for change in ("lease_expires_at = now()", "status = 'starting'", "status = 'running'", "status = 'stageout'"):
            await connection.execute(f"UPDATE job SET {change} WHERE standing = 'leased' AND job_id > -20")
        await connection.execute("SELECT pg_stat_force_next_flush()")
        counted = await connection.fetchrow("SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = 'job'")
        if not counted or not counted["n_tup_upd"]:
            counted = await connection.fetchrow("SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'job'")
    assert counted is not None
    assert (counted["n_tup_upd"], counted["n_tup_hot_upd"]) == (76, 76)
