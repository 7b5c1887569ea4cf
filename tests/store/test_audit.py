"""The audit finds each fault that is put into healthy books, and nothing in books that are healthy, at rest and while they change."""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from string import Template
from uuid import uuid4

import asyncpg
import pytest

from pandawms.data.blobs import Blobs
from pandawms.data.builtin import BuiltIn
from pandawms.domain.file import FileStatus
from pandawms.domain.job import JobStatus
from pandawms.domain.worker import WORKER, WorkerEvent, WorkerStatus
from pandawms.engine.command.step import step as command
from pandawms.engine.define.step import step as define
from pandawms.engine.services import Options, Services
from pandawms.store import audit, database, workers
from pandawms.store.audit_rules import RULES
from pandawms.wire.pilot.claim import JobSpec
from tests import world as worlds
from tests.conftest import TEMPLATE, url_in
from tests.engine.play import FAILED, FILES, HOPELESS, MERGE, add_dataset, ask, beat, lose, run_with
from tests.waiting import until
from tests.world import World

TWO = {"inputs": {"events": {"count": 8}}, "retry": {"max_attempts": 2}}

PARTS = {"program": {"command": "make > %OUT", "each": {}}, "inputs": {"pieces": {"pieces": 3}}, "split": {"files_per_job": 3}}

FAULT = re.compile(r"-- fault: (.+) -> (.+)\n([^#]+?;)\n(?=\n|$)")
"""A fault in faults.sql: what it is, the rules that it breaks, the statements that make it."""

ENDED = "(SELECT {}(a.job_id) FROM job_archive a JOIN job_spec s USING (job_id) WHERE a.status = 'finished' AND s.kind = '{}')"
ROWS = {
    "run": ENDED.format("min", "run"),
    "last_run": ENDED.format("max", "run"),
    "first_merge": ENDED.format("min", "merge"),
    "twin": "(SELECT max(job_id) FROM merge_group WHERE status = 'merged' AND task_id = (SELECT min(task_id) FROM merge_group))",
    "retried": "(SELECT min(previous_job_id) FROM job_spec WHERE kind = 'run')",
    "flowing": "(SELECT max(task_id) FROM task WHERE ended_at IS NULL)",
    "busy": "(SELECT min(task_id) FROM job)",
    "output": "(SELECT min(f.file_id) FROM file f JOIN dataset d USING (dataset_id) WHERE d.producer_task_id IS NOT NULL)",
    **{f"unit_{status}": f"(SELECT min(task_file_id) FROM task_file WHERE status = '{status}')" for status in FileStatus},
    **{f"hot_{status}": f"(SELECT min(job_id) FROM job WHERE status = '{status}')" for status in JobStatus},
}
"""The rows that faults are put into, by the names that faults.sql has for them."""


def read_faults() -> list[tuple[str, str, set[str]]]:
    """Every fault with its statements and the rules that they break."""
    text = Path(__file__).with_name("faults.sql").read_text()
    found = FAULT.findall(text)
    assert len(found) == text.count("-- fault:")
    return [(fault, Template(statements).substitute(ROWS), set(rules.split(", "))) for fault, rules, statements in found]


FAULTS = read_faults()


async def play_all(world: World) -> None:
    """Tasks that end in every way, and one of each kind in the middle of it."""
    await world.submit(name="partly", **TWO)
    await run_with(world, {("run", 1): HOPELESS, ("run", 2): FAILED})
    await world.submit(name="merged", merge=MERGE | {"files_per_job": 2}, **TWO)
    await run_with(world, {("run", 3): FAILED})
    await world.submit(name="unmerged", merge=MERGE, **TWO)
    await run_with(world, {("merge", 1): FAILED})
    await add_dataset(world, 5)
    await world.submit(name="files", **FILES | {"split": {"files_per_job": 2}})
    await world.settle()
    await lose(world, (await world.claim())[0].job_id)
    await world.run_all()
    await kill_one(world)
    await world.submit(name="once", **TWO | {"retry": {"max_attempts": 1}})
    await run_with(world, {("run", 1): FAILED})
    await world.submit(name="parts", **PARTS)
    await run_with(world, {("run", 1): FAILED})
    task_id = await world.submit(name="again", **TWO | {"retry": {"max_attempts": 1}})
    await run_with(world, {("run", serial): FAILED for serial in range(1, 5)})
    assert await world.status(task_id) == "failed"
    await ask(world, "retry", task_id=task_id)
    await run_with(world, {("run", 1): FAILED})
    await live_and_die(world)
    await add_dataset(world, 3, "spare")
    await leave_open(world)


async def kill_one(world: World) -> None:
    """A task is killed while a job of it runs, which is then stopped."""
    task_id = await world.submit(name="killed", **TWO)
    await world.settle()
    (job,) = await world.claim()
    await ask(world, "kill", task_id=task_id)
    await world.settle()
    assert (await beat(world, job)).verdict == "kill"
    await world.report(job, FAILED)
    await world.settle()
    assert await world.status(task_id) == "aborted"
    await kill_untouched(world)


async def kill_untouched(world: World) -> None:
    """A task is killed before it has a job."""
    task_id = await world.submit(name="untouched", **TWO)
    await define(world.pool, world.services)
    await ask(world, "kill", task_id=task_id)
    await command(world.pool, world.services)
    await world.settle()
    assert await world.status(task_id) == "aborted"


async def live_and_die(world: World) -> None:
    """A worker from its making to its end."""
    async with world.pool.acquire() as connection, connection.transaction():
        worker_id = await workers.add(connection, world.queue_id, "test", "test")
        for event, target in (
            (WorkerEvent.SUBMIT, WorkerStatus.SUBMITTED),
            (WorkerEvent.RUN, WorkerStatus.RUNNING),
            (WorkerEvent.FINISH, WorkerStatus.FINISHED),
        ):
            assert await workers.change(connection, worker_id, WORKER.sources(event), target, str(event), "test")


async def leave_open(world: World) -> None:
    """Tasks that go on: jobs that wait, run, are told to stop, and wait for a merge; a group whose merge job is to come, one whose merge job waits."""
    await world.submit(name="merging", merge=MERGE | {"files_per_job": 2}, inputs={"events": {"count": 14}}, retry={"max_attempts": 2})
    await world.settle()
    for job in await world.claim(5):
        await world.report(job)
    await world.settle()
    await world.submit(name="running", inputs={"events": {"count": 20}}, split={"events_per_job": 2}, retry={"max_attempts": 2})
    await world.settle()
    held = await world.claim(4)
    assert len({(await beat(world, job)).verdict for job in held[:2]}) == 1
    await ask(world, "kill", job_id=held[0].job_id)
    await world.settle()
    await world.submit(name="new", **TWO)
    await world.submit(name="new-files", **FILES | {"split": {"files_per_job": 2}})
    await define(world.pool, world.services)


@pytest.fixture(scope="module")
def played_url(cluster_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database in which much has happened; whoever changes it undoes that."""
    name = f"test_{uuid4().hex}"
    url = url_in(cluster_url, name)

    async def make() -> None:
        await execute(cluster_url, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY file_copy")
        async with database.open_pool(database.Options(url, max_connections=4), "test") as pool:
            services = Services(BuiltIn(), Blobs(tmp_path_factory.mktemp("blobs")), Options(lease_seconds=30, heartbeat_seconds=5, poll_seconds=0.05))
            await play_all(await worlds.make(pool, services))

    asyncio.run(make())
    yield url
    asyncio.run(execute(cluster_url, f"DROP DATABASE {name} WITH (FORCE)"))


async def execute(url: str, statement: str) -> None:
    """Runs one statement outside any transaction."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture
async def played(played_url: str) -> AsyncIterator[database.Connection]:
    """A connection to the played database, in a transaction that is undone; foreign keys do not guard it, nor do the checks of rows."""
    connection = await database.connect(database.Options(played_url), "test")
    undone = connection.transaction()
    await undone.start()
    await connection.execute("SET LOCAL session_replication_role = replica")
    yield connection
    await undone.rollback()
    await connection.close()


async def broken(connection: database.Connection, step: int = audit.STEP) -> dict[str, int]:
    """The words of the rules that are broken, and how often."""
    words = {sentence: word for word, sentence in RULES.items()}
    found = await audit.run(connection, step=step)
    assert all(finding.broken >= len(finding.samples) > 0 for finding in found)
    return {words[finding.rule]: finding.broken for finding in found}


@pytest.mark.parametrize("step", [1, 7, audit.STEP])
async def test_nothing_is_found_in_healthy_books_however_they_are_cut(played: database.Connection, step: int) -> None:
    assert await broken(played, step) == {}


@pytest.mark.parametrize(("fault", "statements", "expected"), FAULTS, ids=[fault for fault, _, _ in FAULTS])
async def test_each_fault_is_found_and_nothing_else(played: database.Connection, fault: str, statements: str, expected: set[str]) -> None:
    await played.execute(statements)
    found = await broken(played)
    assert set(found) == expected, fault
    assert await broken(played, 40) == found, "the same in small ranges"


def test_every_rule_has_a_fault_that_breaks_it() -> None:
    assert set().union(*(expected for _, _, expected in FAULTS)) == set(RULES)


async def test_a_finding_says_how_many_rows_are_broken_and_shows_a_few(played: database.Connection) -> None:
    n = await played.fetchval("SELECT count(*) FROM job_archive WHERE status = 'finished'")
    await played.execute("UPDATE job_archive SET error_domain = 'payload' WHERE status = 'finished'")
    (finding,) = await audit.run(played)
    assert (finding.rule, finding.broken, len(finding.samples)) == (RULES["final_once"], n, audit.SAMPLES)
    assert finding.samples[0]["archive_status"] == "finished"
    assert f"broken {n} times" in audit.summary([finding])


async def test_only_what_two_looks_saw_is_reported() -> None:
    first, again, book = audit.Broken(), audit.Broken(), audit.Book()
    for row in ({"rule": "lease", "id": 1}, {"rule": "lease", "id": 2}, {"rule": "outputs", "id": 3, "part": 1}):
        first.add(row)
    for row in ({"rule": "lease", "id": 2}, {"rule": "lease", "id": 9}, {"rule": "outputs", "id": 3, "part": 2}):
        again.add(row)
    book.add(first, again)
    assert [(f.rule, f.broken, f.samples) for f in book.findings()] == [(RULES["lease"], 1, ({"id": 2},))]


@pytest.mark.parametrize(
    ("state", "tables"), [("retired", ("job_spec", "job_file", "job_event")), ("gone", ("job_spec", "job_file", "job_event", "job_archive"))]
)
async def test_jobs_that_were_exported_are_not_missed(played: database.Connection, state: str, tables: tuple[str, ...]) -> None:
    border = await played.fetchval("SELECT min(job_id) FROM job")
    for table in tables:
        await played.execute(f"DELETE FROM {table} WHERE job_id < {border}")
    assert await broken(played) != {}
    await played.execute(
        "INSERT INTO archive_range (from_id, to_id, state, n_jobs, last_ended_at, written_at, retired_at, gone_at)"
        " SELECT 0, $1, $2, $1, now(), now(), now(), CASE WHEN $2 = 'gone' THEN now() END",
        border, state,
    )  # fmt: skip
    for step in (7, audit.STEP):
        assert await broken(played, step) == {}
    await played.execute("UPDATE archive_range SET to_id = to_id + 1")
    assert await broken(played) != {}, "a hot job cannot have been exported"


async def test_a_log_that_began_in_the_words_of_the_first_release_may_go_on_in_newer_ones(played: database.Connection) -> None:
    dataset_id = await played.fetchval("SELECT min(dataset_id) FROM dataset WHERE producer_task_id IS NOT NULL AND NOT is_open AND removed_at IS NULL")
    of = f"entity = 'dataset' AND entity_id = {dataset_id}"
    await played.execute(f"UPDATE entity_event SET event = 'create', to_status = 'open' WHERE {of} AND from_status IS NULL")
    assert await broken(played) == {}
    await played.execute(f"UPDATE entity_event SET event = 'close', from_status = 'open' WHERE {of} AND to_status = 'closed'")
    assert await broken(played) == {}


async def test_an_audit_says_how_far_it_is(played: database.Connection) -> None:
    heard: list[audit.Progress] = []
    await audit.run(played, heard.append, step=10)
    jobs = [each.reached for each in heard if each.what == "jobs"]
    assert jobs[-1] is None
    assert len(jobs) > 3
    assert [reached for reached in jobs if reached is not None] == sorted({reached for reached in jobs if reached is not None})


async def test_a_system_that_works_while_it_is_audited_is_never_accused(world: World, database_url: str) -> None:
    for name in ("a", "b"):
        await world.submit(name=name, merge=MERGE | {"files_per_job": 3}, inputs={"events": {"count": 60}}, retry={"max_attempts": 3})
    await world.settle()
    chance, looks, done = random.Random(1), [0], asyncio.Event()

    async def pilot() -> None:
        while not done.is_set():
            for job in await world.claim(2):
                await handle(world, job, chance)
            await world.settle()

    async def look() -> None:
        connection = await database.connect(database.Options(database_url), "test")
        try:
            while not done.is_set():
                found = await audit.run(connection, step=chance.choice([5, 40, audit.STEP]))
                assert not found, audit.summary(found)
                looks[0] += 1
        finally:
            await connection.close()

    async with asyncio.TaskGroup() as group:
        for work in (pilot, pilot, look):
            group.create_task(work())
        await until(lambda: ended(world), "all tasks have ended", 60)
        done.set()
    assert looks[0] > 2


async def handle(world: World, job: JobSpec, chance: random.Random) -> None:
    """A pilot's work with one job: it is heard of, fails at times, or is lost."""
    lot = chance.random()
    if lot < 0.1:
        await lose(world, job.job_id)
    elif lot < 0.5:
        await beat(world, job)
    await world.report(job, FAILED) if lot > 0.85 else await world.report(job)


async def ended(world: World) -> bool:
    """Whether all tasks have ended."""
    async with world.pool.acquire() as connection:
        return bool(await connection.fetchval("SELECT bool_and(ended_at IS NOT NULL) FROM task"))
