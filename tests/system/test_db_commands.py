"""`panda db` as an operator types it, against a database with a past."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pyarrow.parquet as pq
import pytest

from tests import past
from tests.conftest import TEMPLATE, url_in


class Operator:
    """Someone at a data folder whose database has 2,500 ended jobs in ranges of a thousand."""

    def __init__(self, url: str, data: Path) -> None:
        self.url, self.data = url, data

    def panda(self, *arguments: str, code: int = 0, **settings: str) -> str:
        """What the command writes to its standard output; it must end with this code."""
        environment = os.environ | {"PANDA_DATABASE_URL": self.url} | settings
        command = [sys.executable, "-m", "pandawms.main.panda", "--data", str(self.data), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
        assert done.returncode == code, done.stderr
        self.noted = done.stderr
        return done.stdout

    def execute(self, statement: str) -> None:
        """Changes something in the database."""
        asyncio.run(_execute(self.url, statement))


async def _execute(url: str, *statements: str) -> None:
    own = await asyncpg.connect(url)
    try:
        for statement in statements:
            await own.execute(statement)
    finally:
        await own.close()


async def _fill(url: str) -> None:
    own = await asyncpg.connect(url)
    try:
        await past.narrow_partitions(own, 1000, 4)
        await past.fill(own, 2500, jobs_per_task=100, days_ago=50)
    finally:
        await own.close()


@pytest.fixture
def operator(cluster_url: str, tmp_path: Path) -> Iterator[Operator]:
    """An operator with a database of their own."""
    name = f"test_{uuid4().hex}"
    asyncio.run(_execute(cluster_url, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY file_copy"))
    url = url_in(cluster_url, name)
    asyncio.run(_fill(url))
    yield Operator(url, tmp_path)
    asyncio.run(_execute(cluster_url, f"DROP DATABASE {name} WITH (FORCE)"))


def test_a_dry_run_shows_what_would_go_and_changes_nothing(operator: Operator) -> None:
    for _ in range(2):
        header, *rows = operator.panda("db", "archive", "--dry-run", "--keep-days", "30").splitlines()
        assert header.split("\t") == ["jobs", "n_jobs", "last_ended_at", "then"]
        assert [row.split("\t")[:2] for row in rows] == [["0-999", "1000"], ["1000-1999", "1000"]]
    assert not (operator.data / "archive").exists()


def test_old_ranges_move_to_files_by_the_settings_and_then_rows_go(operator: Operator) -> None:
    done = json.loads(operator.panda("--json", "db", "archive", PANDA_ARCHIVE_KEEP_DAYS="30"))
    assert [tuple(row) for row in done] == [("0-999", "retired"), ("1000-1999", "retired")]
    assert pq.read_metadata(operator.data / "archive/jobs-1000-1999/job_event.parquet").num_rows == 3000
    assert operator.panda("db", "archive", "--keep-days", "20", "--keep-rows-days", "40").splitlines()[1:] == ["0-999\tgone", "1000-1999\tgone"]
    assert operator.panda("db", "archive", "--keep-days", "20").splitlines()[1:] == []


def test_without_days_nothing_is_archived_and_the_command_says_how(operator: Operator) -> None:
    operator.panda("db", "archive", code=2)
    assert "archive.keep_days" in operator.noted
    operator.panda("db", "archive", "--keep-days", "30", "--keep-rows-days", "10", code=2)
    assert "cannot go before the details" in operator.noted


def test_check_shows_every_rule_and_ends_with_5_when_one_is_broken(operator: Operator) -> None:
    operator.execute("TRUNCATE job_spec, job_file, job_event, job_archive, task, queue CASCADE")
    header, *rows = operator.panda("db", "check").splitlines()
    assert header.split("\t") == ["violations", "rule"]
    assert {row.split("\t")[0] for row in rows} == {"ok"}
    operator.execute("INSERT INTO dataset (community_id, owner_id, scope, name, n_files) SELECT 1, min(user_id), 's', 'd', 7 FROM user_account")
    found = json.loads(operator.panda("--json", "db", "check", code=5))
    broken = [rule for rule in found if not rule["ok"]]
    assert "the counters of a dataset are those of its files" in {rule["rule"] for rule in broken}
    assert all(rule["violations"] >= 1 and rule["samples"] for rule in broken)
    operator.panda("db", "check", code=5)
    assert "the counters of a dataset" in operator.noted


def test_check_looks_at_the_schema_first(operator: Operator) -> None:
    operator.panda("db", "check", "--schema")
    operator.execute("DELETE FROM migration WHERE number = 3")
    for arguments in ((), ("--schema",)):
        operator.panda("db", "check", *arguments, code=5)
        assert "migrations missing: [3]" in operator.noted
