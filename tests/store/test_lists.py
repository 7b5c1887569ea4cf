"""Pages of lists are read in the order of an index: each touches few rows and partitions, however much there is. `make soak` has more of it."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from pandawms.store import database, lists
from pandawms.store.database import Connection
from pandawms.store.lists import DATASETS, FILES, JOBS, TASKS, UNITS, WORKERS, Listing
from tests import past
from tests.conftest import TEMPLATE, url_in

N_JOBS = int(os.environ.get("PANDA_TEST_ARCHIVE_JOBS", 60_000))
WIDTH = N_JOBS // 10
PER_TASK = N_JOBS // 60
HOT_ROWS = 20_000
PAGE = 51
MOST_READ = 40 * PAGE
"""Rows that a page may read: those shown, the same of each source, and what is joined to them."""

HOT = f"""
SET LOCAL session_replication_role = replica;
INSERT INTO job_spec (job_id, task_id, version, kind, attempt) SELECT $1 + i, $2, 1, 'run', 1 FROM generate_series(1, {HOT_ROWS}) i;
INSERT INTO job (job_id, task_id, lease_expires_at, claim_id, claim_n, community_id, share_id, queue_id, requirement_id, priority, attempt, status)
SELECT $1 + i, $2, CASE WHEN i <= 40 THEN now() END, CASE WHEN i <= 40 THEN gen_random_uuid() END, CASE WHEN i <= 40 THEN 0 END, 1, 1, 1 + i % 5, 1, 1, 1,
    CASE WHEN i <= 40 THEN 'running' ELSE 'activated' END
FROM generate_series(1, {HOT_ROWS}) i;
INSERT INTO task_dataset (task_id, role, stream, is_master, n_listed) SELECT t.task_id, 'input', 'in', true, 2000 FROM task t LIMIT 10;
INSERT INTO dataset (community_id, owner_id, scope, name) SELECT 1, 1, 'user.u' || i % 10, 'd' || i FROM generate_series(1, 5000) i;
INSERT INTO file (dataset_id, scope, name, guid, size_bytes, adler32)
SELECT 1 + i % 20, 's', 'f' || i, gen_random_uuid(), 1, '\\x00000001' FROM generate_series(1, 40000) i;
INSERT INTO task_file (task_id, task_dataset_id, file_id, number, status, max_attempts)
SELECT d.task_id, d.task_dataset_id, NULL, i, 'finished', 3 FROM task_dataset d, generate_series(1, 2000) i;
INSERT INTO worker (queue_id, status, provisioner, ended_at) SELECT 1 + i % 5, 'finished', 'p', now() FROM generate_series(1, 20000) i;
"""


@pytest.fixture(scope="module")
def past_url(cluster_url: str) -> Iterator[str]:
    """The URL of a database with an archive in many partitions and a queue of hot jobs, made once for this module."""
    name = f"test_past_{uuid4().hex}"
    asyncio.run(_execute(cluster_url, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY file_copy"))
    url = url_in(cluster_url, name)
    asyncio.run(_fill(url))
    yield url
    asyncio.run(_execute(cluster_url, f"DROP DATABASE {name} WITH (FORCE)"))


async def _execute(url: str, statement: str) -> None:
    own = await asyncpg.connect(url)
    try:
        await own.execute(statement)
    finally:
        await own.close()


async def _fill(url: str) -> None:
    own = await asyncpg.connect(url)
    try:
        await past.narrow_partitions(own, WIDTH, 11 + HOT_ROWS // WIDTH)
        first = await past.fill(own, N_JOBS, jobs_per_task=PER_TASK, days_ago=100, tables=("job_spec", "job_archive"))
        async with own.transaction():
            await own.execute(HOT.replace("$1", str(N_JOBS)).replace("$2", str(first)))
        await own.execute("VACUUM ANALYZE")
    finally:
        await own.close()


@pytest.fixture
async def connection(past_url: str) -> AsyncIterator[Connection]:
    """A connection to that database."""
    own = await database.connect(database.Options(past_url), "test")
    yield own
    await own.close()


def at(job: int) -> datetime:
    """When about job number so and so ended."""
    return datetime.now(UTC) - timedelta(days=100) + timedelta(seconds=job)


async def task_of(connection: Connection, name: str) -> int:
    """The id of a task of the past."""
    return int(await connection.fetchval("SELECT task_id FROM task WHERE name = $1", name))


async def explained(connection: Connection, listing: Listing[Any], filters: dict[str, object], after: int | None) -> str:
    """How a page is read."""
    statement, parameters = lists.build(listing, filters, after, PAGE)
    return "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS OFF, TIMING OFF) {statement}", *parameters))


def rows_read(plan: str) -> int:
    """Rows that the scans of a plan gave or threw away."""
    read = 0
    for line, following in zip(plan.splitlines(), [*plan.splitlines()[1:], ""], strict=True):
        scan = re.search(r"Scan.*\(actual rows=([\d.]+) loops=(\d+)\)", line)
        if scan:
            read += int(float(scan[1]) * int(scan[2]))
        removed = re.search(r"Rows Removed by (?:Filter|Index Recheck): (\d+)", following)
        read += int(removed[1]) if removed else 0
    return read


MIDDLE = N_JOBS // 2
PAGES: dict[str, tuple[Listing[Any], dict[str, object], int | None]] = {
    "jobs, the newest": (JOBS, {"community": "local"}, None),
    "jobs, far behind": (JOBS, {"community": "local"}, MIDDLE),
    "jobs of a queue": (JOBS, {"community": "local", "queue": "q3"}, None),
    "jobs with pilots": (JOBS, {"status": ["running", "starting"]}, None),
    "jobs that failed": (JOBS, {"status": ["failed"]}, None),
    "jobs that finished": (JOBS, {"status": ["finished"]}, None),
    "jobs of a task": (JOBS, {"task_id": "t20"}, None),
    "failed jobs of a task": (JOBS, {"task_id": "t20", "status": ["failed", "cancelled"]}, None),
    "jobs of an hour": (JOBS, {"ended_after": at(MIDDLE), "ended_before": at(MIDDLE + 30)}, None),
    "tasks, the newest": (TASKS, {"community": "local"}, None),
    "tasks of a user": (TASKS, {"community": "local", "owner": "u3"}, None),
    "tasks of a name": (TASKS, {"name": "t7"}, None),
    "units of a task": (UNITS, {"task_id": "t0"}, None),
    "datasets": (DATASETS, {"community": "local", "is_there": True}, None),
    "a dataset by name": (DATASETS, {"scope": "user.u3", "name": "d3", "is_there": True}, None),
    "files of a dataset": (FILES, {"dataset_id": 7}, None),
    "workers": (WORKERS, {"community": "local", "queue": "q2"}, None),
}


@pytest.mark.parametrize("name", PAGES)
async def test_a_page_reads_few_rows(connection: Connection, name: str) -> None:
    listing, filters, after = PAGES[name]
    if isinstance(filters.get("task_id"), str):
        filters = filters | {"task_id": await task_of(connection, str(filters["task_id"]))}
    by_time = "ended_after" in filters
    if by_time and N_JOBS < 1_000_000:  # the small partitions of this test are read as fast whole
        await connection.execute("SET enable_seqscan = off")
    plan = await explained(connection, listing, filters, after)
    most = max(10_000, N_JOBS // 50) if by_time else MOST_READ  # of each partition two ranges of blocks: that which fits, and the last
    assert rows_read(plan) <= most, plan
    whole = re.findall(r"Seq Scan on (?:job_archive_\d+|job_spec_\d+|job|task_file|file) .*actual rows=([\d.]+)", plan)
    assert max(map(float, whole), default=0) == 0, plan  # an empty partition may be looked through


async def test_pages_follow_each_other_and_show_every_job_once(connection: Connection) -> None:
    task_id, found, after = await task_of(connection, "t20"), [], None
    while rows := await lists.page(connection, JOBS, {"task_id": task_id}, after, 333, 10):
        found += rows
        after = rows[-1].job_id
    assert [row.job_id for row in found] == list(range(21 * PER_TASK - 1, 20 * PER_TASK - 1, -1))
    assert {row.status for row in found} == {"finished", "failed"}
    assert (found[0].kind, found[0].queue, found[0].task_name) == ("run", f"q{1 + found[0].job_id % 5}", "t20")


async def test_hot_and_ended_jobs_are_in_one_list(connection: Connection) -> None:
    rows = await lists.page(connection, JOBS, {}, N_JOBS + 11, 20, 10)
    assert [row.job_id for row in rows] == list(range(N_JOBS + 10, N_JOBS, -1)) + list(range(N_JOBS - 1, N_JOBS - 11, -1))
    assert [row.status for row in rows[:10]] == ["running"] * 10
    found = await lists.page(connection, JOBS, {"status": ["running", "failed"]}, None, 60, 10)
    assert [row.status for row in found] == ["running"] * 40 + ["failed"] * 20


async def test_units_and_files_are_paged_by_their_own_order(connection: Connection) -> None:
    of_task = await task_of(connection, "t0")
    pages: list[tuple[Listing[Any], dict[str, object]]] = [(UNITS, {"task_id": of_task}), (FILES, {"dataset_id": 7})]
    for listing, filters in pages:
        seen: list[int] = []
        after = None
        while rows := await lists.page(connection, listing, filters, after, 300, 10):
            seen += [getattr(row, listing.key) for row in rows]
            after = seen[-1]
        assert len(seen) == len(set(seen)) == 2000


async def test_a_job_whose_spec_has_left_the_database_stays_in_the_list(connection: Connection) -> None:
    undone = connection.transaction()
    await undone.start()
    await connection.execute("DELETE FROM job_spec WHERE job_id = 100")
    (row,) = await lists.page(connection, JOBS, {}, 101, 1, 10)
    await undone.rollback()
    assert (row.job_id, row.status, row.kind) == (100, "failed", "run")


def test_a_filter_that_is_not_whitelisted_is_refused() -> None:
    with pytest.raises(KeyError):
        lists.build(JOBS, {"status; DROP TABLE job": "x"}, None, 10)
