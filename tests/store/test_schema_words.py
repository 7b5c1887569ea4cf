"""The words in the schema's CHECKs are the domain's, for every table that keeps a status."""

import re
from collections.abc import Collection, Iterable

import pytest

from pandawms.domain.clone import CloneMode, CloneStatus
from pandawms.domain.dataset import DatasetStatus
from pandawms.domain.file import FileStatus
from pandawms.domain.identity import Scope
from pandawms.domain.job import JOB, LEASED, JobStatus
from pandawms.domain.output_file import OutputFileStatus
from pandawms.domain.payload import PayloadStatus
from pandawms.domain.queue import QueueStatus
from pandawms.domain.retry_rule import TASK_TYPES, Action, Kind, Mode
from pandawms.domain.snapshot import JobKind
from pandawms.domain.task import TASK, TaskStatus
from pandawms.domain.worker import WORKER, WorkerStatus
from tests.conftest import Database

STATUSES: dict[tuple[str, str], Iterable[str]] = {
    ("task", "status"): TaskStatus,
    ("job", "status"): frozenset(JobStatus) - JOB.final,
    ("job_archive", "status"): JOB.final,
    ("job_fill", "status"): frozenset(JobStatus) - JOB.final,
    ("task_file", "status"): FileStatus,
    ("task_dataset", "status"): DatasetStatus,
    ("job_file", "status"): OutputFileStatus,
    ("worker", "status"): WorkerStatus,
    ("queue", "status"): QueueStatus,
    ("job_spec", "kind"): JobKind,
    ("requirement", "kind"): JobKind,
    ("job_payload", "status"): PayloadStatus,
    ("token", "scopes"): Scope,
    ("retry_rule", "mode"): Mode,
    ("retry_rule", "action"): Action,
    ("retry_rule", "task_type"): TASK_TYPES,
    ("retry_action", "kind"): Kind,
    ("clone_group", "status"): CloneStatus,
    ("clone_group", "mode"): CloneMode,
}
"""Inputs of jobs use a part of the words for output files: running, finished, failed, merging, cancelled."""

GUARDS: dict[str, tuple[str, Collection[str]]] = {
    "task": ("ended_at IS NOT NULL", TASK.final),
    "worker": ("ended_at IS NOT NULL", WORKER.final),
    "job": ("lease_expires_at IS NOT NULL", LEASED),
}


async def checks(database: Database, table: str) -> list[str]:
    """The definitions of a table's CHECKs."""
    async with database.pool.acquire() as connection:
        found = await connection.fetch(
            "SELECT pg_get_constraintdef(oid) AS text FROM pg_constraint WHERE contype = 'c' AND conrelid = $1::text::regclass", table
        )
    return [row["text"] for row in found]


def words(text: str) -> set[str]:
    """The quoted words of a definition."""
    return set(re.findall(r"'([a-z_]+)'::text", text))


async def test_the_words_of_every_status_are_those_of_the_domain(database: Database) -> None:
    for (table, column), expected in STATUSES.items():
        mine = [text for text in await checks(database, table) if re.match(rf"CHECK \(\({column} (=|<@) ", text) or text.startswith(f"CHECK ((({column} <@")]
        assert [words(text) for text in mine] == [{str(word) for word in expected}], f"{table}.{column}"


async def test_every_status_column_is_compared(database: Database) -> None:
    async with database.pool.acquire() as connection:
        found = await connection.fetch(
            "SELECT table_name FROM information_schema.columns c JOIN pg_class k ON k.relname = c.table_name"
            " WHERE column_name = 'status' AND table_schema = 'public' AND NOT k.relispartition"
        )
    own_words = {"merge_group", "task_build", "task_range", "task_round"}
    assert {row["table_name"] for row in found} - own_words == {table for table, column in STATUSES if column == "status"}


@pytest.mark.parametrize("table", GUARDS)
async def test_a_row_has_its_end_or_lease_exactly_in_the_statuses_that_say_so(database: Database, table: str) -> None:
    condition, expected = GUARDS[table]
    (mine,) = [text for text in await checks(database, table) if f"({condition}) =" in text]
    assert words(mine) == {str(word) for word in expected}
