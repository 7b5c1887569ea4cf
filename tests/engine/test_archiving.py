"""Old ranges leave the database for files: whole, counted, and at no point lost, whoever is killed when."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pandawms.domain.errors import Conflict, Invalid
from pandawms.engine.watch import archiving
from pandawms.engine.watch.archiving import Policy, Progress
from pandawms.store import archive, archive_files, database, partitions
from pandawms.store.archive import Written
from pandawms.store.database import Connection
from pandawms.store.partitions import OF_JOBS, Range
from tests import past
from tests.waiting import until

WIDTH = 1000


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Connection]:
    """A connection of its own to a database with 3,500 ended jobs in ranges of a thousand; the first ended 100 days ago."""
    own = await database.connect(database.Options(database_url), "test")
    await past.narrow_partitions(own, WIDTH, 6)
    await past.fill(own, 3500, jobs_per_task=50, days_ago=100)
    yield own
    await own.close()


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    """Details stay for thirty days."""
    return Policy(tmp_path / "archive", keep_days=30)


async def everything(connection: Connection, tables: tuple[str, ...] = OF_JOBS) -> dict[str, list[tuple[object, ...]]]:
    """All rows of these tables, in order, as text."""
    return {table: [tuple(row) for row in await connection.fetch(f"SELECT x::text FROM {table} x ORDER BY x.job_id, x::text")] for table in tables}


async def test_a_range_goes_when_all_its_jobs_and_tasks_ended_long_enough_ago(connection: Connection, policy: Policy) -> None:
    found = await archiving.outlook(connection, policy)
    assert [ready.span for ready in found.ready] == [Range(0, 1000), Range(1000, 2000), Range(2000, 3000)], "the fourth is not full yet"
    assert found.n_files == 15
    assert (await archiving.outlook(connection, Policy(policy.folder, keep_days=200))).ready == (), "too young"
    assert (await archiving.outlook(connection, Policy(policy.folder))).ready == (), "for ever"


@pytest.mark.parametrize(
    "obstacle",
    [
        "UPDATE task SET status = 'running', ended_at = NULL WHERE name = 't25'",
        "UPDATE task SET ended_at = now() WHERE name = 't25'",
        "UPDATE job_archive SET ended_at = now() WHERE job_id = 1234",
        "DELETE FROM job_archive WHERE job_id = 1234",
        "INSERT INTO job (job_id, task_id, community_id, share_id, queue_id, requirement_id, priority, attempt, status)"
        " SELECT 1234, 1, 1, 1, 1, 1, 1, 1, 'activated'",
    ],
)
async def test_one_job_or_task_that_is_not_done_keeps_its_range_alone(connection: Connection, policy: Policy, obstacle: str) -> None:
    await connection.execute(obstacle)
    assert [ready.span for ready in (await archiving.outlook(connection, policy)).ready] == [Range(0, 1000), Range(2000, 3000)]


async def test_the_files_hold_what_the_database_held(connection: Connection, policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_files, "CHUNK_ROWS", 333)
    before = {table: await connection.fetch(f"SELECT * FROM {table} WHERE job_id < 1000 ORDER BY job_id") for table in OF_JOBS}
    assert await archiving.run(connection, policy) == [(Range(n, n + 1000), "retired") for n in (0, 1000, 2000)]
    folder = policy.folder / "jobs-0-999"
    for table, rows in before.items():
        found = pq.read_table(folder / f"{table}.parquet")
        assert found.num_rows == len(rows)
        for name in ("job_id", "task_id"):
            assert found.column(name).to_pylist() == [row[name] for row in rows]
    specs, rows = pq.read_table(folder / "job_spec.parquet"), pq.read_table(folder / "job_archive.parquet")
    assert specs.column("created_at").to_pylist() == [row["created_at"] for row in before["job_spec"]]
    assert specs.column("delta")[0].as_py() == '{"serial": 1}'
    assert rows.column("message")[0].as_py() == 'it said "no",\n\t and ended'
    assert rows.column("message")[1].as_py() == "", "an empty text is not NULL"
    assert rows.column("cpu_seconds")[0].as_py() is None
    assert rows.column("is_retryable")[0].as_py() is True
    assert rows.column("claim_id")[0].as_py() == str(before["job_archive"][0]["claim_id"])
    assert rows.column("queue")[0].as_py() == "q1"
    assert rows.column("owner")[0].as_py() == "u0"


async def test_what_is_left_is_the_narrow_rows_and_where_the_details_are(connection: Connection, policy: Policy) -> None:
    rows = await everything(connection, ("job_archive",))
    await archiving.run(connection, policy)
    assert await everything(connection, ("job_archive",)) == rows
    assert [await connection.fetchval(f"SELECT min(job_id) FROM {table}") for table in archive.DETAILS] == [3000] * 4
    assert await archive.floor(connection) == 3000
    for file in (await archive.files(connection, Range(1000, 2000))).values():
        path = policy.folder / file.path
        assert (path.stat().st_size, hashlib.sha256(path.read_bytes()).digest()) == (file.size_bytes, file.sha256)
        assert pq.read_metadata(path).num_rows == file.n_rows
    found = await archive.exported(connection, 1500)
    assert found is not None
    assert (found.path, found.status, found.task_name, found.queue, found.community) == ("jobs-1000-1999/job_spec.parquet", "failed", "t30", "q1", "local")
    assert await archive.exported(connection, 3200) is None
    assert await archive.exported(connection, 77_777) is None


async def test_a_second_run_finds_nothing_to_do(connection: Connection, policy: Policy) -> None:
    await archiving.run(connection, policy)
    assert await archiving.run(connection, policy) == []


async def test_narrow_rows_go_later_and_are_in_the_file_alone_then(connection: Connection, policy: Policy) -> None:
    later = Policy(policy.folder, keep_days=30, keep_rows_days=60)
    await archiving.run(connection, policy)
    assert await archiving.run(connection, later) == [(Range(n, n + 1000), "gone") for n in (0, 1000, 2000)]
    assert await connection.fetchval("SELECT min(job_id) FROM job_archive") == 3000
    found = await archive.exported(connection, 1500)
    assert found is not None
    assert (found.path, found.status) == ("jobs-1000-1999/job_spec.parquet", None)
    assert await archive.floor(connection) == 3000


def test_rows_never_go_before_the_details(policy: Policy) -> None:
    for keep_days, keep_rows_days in ((0, 60), (30, 20)):
        with pytest.raises(Invalid, match="before the details"):
            Policy(policy.folder, keep_days, keep_rows_days).checked()


class Killed(Exception):
    """The process dies here."""


async def test_a_run_that_is_killed_while_it_writes_is_gone_on_with(connection: Connection, policy: Policy) -> None:
    count = 0

    async def dies(_n: int) -> None:
        nonlocal count
        count += 1
        if count == 7:  # five files of the first range, one of the second
            raise Killed

    with pytest.raises(Killed):
        await archiving.run(connection, policy, Progress(rows=dies))
    assert sorted(path.name for path in (policy.folder / "jobs-1000-1999").iterdir()) == ["job_file.parquet.part", "job_spec.parquet"]
    kept = (policy.folder / "jobs-1000-1999/job_spec.parquet").stat()
    assert await connection.fetchval("SELECT count(*) FROM job_spec WHERE job_id BETWEEN 1000 AND 1999") == 1000
    assert await archiving.run(connection, policy) == [(Range(1000, 2000), "retired"), (Range(2000, 3000), "retired")]
    assert (policy.folder / "jobs-1000-1999/job_spec.parquet").stat() == kept, "a complete file is not written again"
    assert not list(policy.folder.rglob("*.part"))


@pytest.mark.parametrize("n_dropped", [0, 1, 2, 3])
async def test_a_run_that_is_killed_while_it_drops_is_gone_on_with(
    connection: Connection, policy: Policy, monkeypatch: pytest.MonkeyPatch, n_dropped: int
) -> None:
    drop, count = partitions.drop, 0

    async def dies(connection: Connection, parent: str, from_id: int) -> bool:
        nonlocal count
        count += 1
        if count > n_dropped:
            raise Killed
        return await drop(connection, parent, from_id)

    with monkeypatch.context() as patch:
        patch.setattr(partitions, "drop", dies)
        with pytest.raises(Killed):
            await archiving.run(connection, policy)
    assert await connection.fetchval("SELECT count(*) FROM archive_range WHERE state <> 'retired'") == 1
    for days in (0, 30):  # what is written goes on, whatever the policy says now
        await archiving.run(connection, Policy(policy.folder, keep_days=days))
    assert [each.state for each in await archive.ranges(connection)] == ["retired"] * 3
    assert await archive.floor(connection) == 3000


async def test_a_range_whose_task_was_retried_meanwhile_stays(connection: Connection, policy: Policy) -> None:
    async def dies(_n: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        await archiving.run(connection, policy, Progress(rows=dies))
    await connection.execute("UPDATE task SET status = 'running', ended_at = NULL WHERE name = 't3'")
    assert [span for span, _ in await archiving.run(connection, policy)] == [Range(1000, 2000), Range(2000, 3000)]
    assert [each.span.from_id for each in await archive.ranges(connection)] == [1000, 2000]
    assert await archive.floor(connection) == 0, "ids from zero on still have their details"
    assert await archive.exported(connection, 5) is None
    assert not (policy.folder / "jobs-0-999").exists(), "nobody counts its jobs twice"


@pytest.mark.parametrize("range_written", [0, 1000])
async def test_a_range_whose_task_is_retried_while_the_run_is_under_way_keeps_its_details(
    connection: Connection, database_url: str, policy: Policy, range_written: int
) -> None:
    """The task, whose jobs are in the range from 1000, is retried while the range before that is written, or while its own is."""
    other = await asyncpg.connect(database_url)

    async def retries(_n: int) -> None:
        if (policy.folder / f"jobs-{range_written}-{range_written + 999}").exists():
            await other.execute("UPDATE task SET status = 'running', ended_at = NULL WHERE name = 't25'")

    stayed: list[Range] = []
    assert [span.from_id for span, _ in await archiving.run(connection, policy, Progress(rows=retries, stayed=stayed.append))] == [0, 2000]
    await other.close()
    assert stayed == ([] if range_written == 0 else [Range(1000, 2000)]), "one that was not begun has nothing to give up"
    assert [each.span.from_id for each in await archive.ranges(connection)] == [0, 2000]
    assert sorted(path.name for path in policy.folder.iterdir()) == ["jobs-0-999", "jobs-2000-2999"]
    for table, n_rows in (("job_spec", 1000), ("job_file", 2000), ("job_event", 3000)):
        assert await archive.count(connection, table, Range(1000, 2000)) == n_rows
    await connection.execute("UPDATE task SET status = 'done', ended_at = now() - interval '40 days' WHERE name = 't25'")
    assert await archiving.run(connection, policy) == [(Range(1000, 2000), "retired")], "it goes when the task has ended again"


async def test_rows_that_appeared_after_a_file_was_written_are_not_lost(connection: Connection, database_url: str, policy: Policy) -> None:
    late = True

    async def adds(_n: int) -> None:
        nonlocal late
        if late and (policy.folder / "jobs-0-999/job_event.parquet").exists():
            late = False
            await other.execute("INSERT INTO job_event (job_id, task_id, event, to_status, who) VALUES (7, 1, 'late', 'finished', 'test')")

    other = await asyncpg.connect(database_url)
    done = await archiving.run(connection, policy, Progress(rows=adds))
    await other.close()
    assert [span.from_id for span, _ in done] == [1000, 2000]
    assert await archiving.run(connection, policy) == [(Range(0, 1000), "retired")]
    assert "late" in pq.read_table(policy.folder / "jobs-0-999/job_event.parquet").column("event").to_pylist()


async def test_only_one_archives(connection: Connection, database_url: str, policy: Policy) -> None:
    other = await asyncpg.connect(database_url)
    async with archive.alone(connection):
        with pytest.raises(Conflict):
            await archiving.run(other, policy)
    assert len(await archiving.run(other, policy)) == 3
    await other.close()


async def test_an_engine_archives_in_the_background_and_stops_when_it_is_told(connection: Connection, database_url: str, policy: Policy) -> None:
    stop = asyncio.Event()
    keeping = asyncio.create_task(archiving.keep(database.Options(database_url), policy, stop))

    async def are_retired() -> bool:
        return [each.state for each in await archive.ranges(connection)] == ["retired"] * 3

    await until(are_retired, "all ranges are retired")
    stop.set()
    await asyncio.wait_for(keeping, 5)


@pytest.mark.parametrize("failure", [pa.ArrowInvalid("a field that cannot be read"), asyncpg.InternalClientError("in a wrong state")])
async def test_a_failure_of_any_kind_is_tried_again(
    connection: Connection, database_url: str, policy: Policy, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    write, failures = archive_files.write, [failure]

    async def fails_once(*given: Any) -> Written:
        if failures:
            raise failures.pop()
        return await write(*given)

    monkeypatch.setattr(archive_files, "write", fails_once)
    monkeypatch.setattr(archiving, "LOOK_SECONDS", 0.01)
    stop = asyncio.Event()
    keeping = asyncio.create_task(archiving.keep(database.Options(database_url), policy, stop))

    async def are_retired() -> bool:
        assert not keeping.done(), keeping
        return [each.state for each in await archive.ranges(connection)] == ["retired"] * 3

    await until(are_retired, "all ranges are retired")
    stop.set()
    await asyncio.wait_for(keeping, 5)


async def test_a_rest_ends_when_the_engine_stops(connection: Connection, database_url: str, policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archiving, "REST", 1_000_000)
    stop = asyncio.Event()
    keeping = asyncio.create_task(archiving.keep(database.Options(database_url), policy, stop))

    async def has_begun() -> bool:
        return [each.state for each in await archive.ranges(connection)] == ["writing"]

    await until(has_begun, "a range is being written")
    stop.set()
    await asyncio.wait_for(keeping, 5)
    assert len(await archiving.run(connection, policy)) == 3


async def test_without_days_an_engine_archives_nothing(connection: Connection, database_url: str, policy: Policy) -> None:
    await asyncio.wait_for(archiving.keep(database.Options(database_url), Policy(policy.folder), asyncio.Event()), 5)
    assert await archive.ranges(connection) == []
