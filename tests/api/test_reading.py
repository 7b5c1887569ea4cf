"""Lists read where they are told to, and what is no longer there is said."""

from dataclasses import replace
from pathlib import Path

import asyncpg

from pandawms.api.app import create_app
from pandawms.engine.watch import archiving
from pandawms.engine.watch.archiving import Policy
from pandawms.store import database as db
from tests import past
from tests.api.conftest import Api, client_of
from tests.api.test_tasks import submitted
from tests.conftest import Database

LISTS = ("/tasks", "/jobs", "/datasets", "/queues", "/sites", "/workers", "/metrics")


async def test_lists_and_overviews_read_from_the_read_pool_and_single_things_from_the_database(api: Api, database: Database) -> None:
    task_id = await submitted(api)
    options = db.Options(database.url, is_read_only=True)
    async with db.open_pool(options, "read") as read:
        core = replace(api.core, read_pool=read)
        async with client_of(create_app(core), api.tokens["operator"]) as client:
            for path in LISTS:
                assert (await client.get(path)).status_code == 200, path
            await read.close()
            for path in LISTS:
                assert (await client.get(path)).status_code == 503, path
            assert (await client.get(f"/tasks/{task_id}")).status_code == 200
            assert (await client.get("/queues/local")).status_code == 200


async def test_a_list_that_the_database_cuts_off_says_to_ask_for_less(api: Api, database: Database) -> None:
    async with db.open_pool(db.Options(database.url, statement_timeout_seconds=1), "read") as read:
        core = replace(api.core, read_pool=read)
        blocker = await asyncpg.connect(database.url)
        async with blocker.transaction(), client_of(create_app(core), api.tokens["ada"]) as client:
            await blocker.execute("LOCK TABLE task")
            answer = await client.get("/tasks")
        await blocker.close()
    assert (answer.status_code, answer.json()["code"]) == (503, "too_slow")


async def test_a_job_whose_details_are_in_files_says_where(api: Api, database: Database, tmp_path: Path) -> None:
    own = await db.connect(db.Options(database.url), "test")
    try:
        await past.narrow_partitions(own, 1000, 6)
        await past.fill(own, 3500, jobs_per_task=50, days_ago=100)
        policy = Policy(tmp_path / "archive", keep_days=30)
        await archiving.run(own, policy)
    finally:
        await own.close()
    for part in ("", "/files", "/events", "/why", "/log"):
        problem = (await api.operator.get(f"/jobs/500{part}")).json()
        assert (problem["status"], problem["code"]) == (404, "job.archived"), part
        assert "jobs-0-999" in problem["hint"], "the folder of its range"
    assert (await api.eve.get("/jobs/500")).json()["code"] == "job.unknown"
