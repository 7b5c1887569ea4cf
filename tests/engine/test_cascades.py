"""Commands that go on to the tasks that read the outputs: whose tasks they reach, what they name, and where they stop rather than stand for ever."""

from typing import Any

import pytest

from pandawms.domain.identity import Who
from pandawms.engine.command.step import step as command
from pandawms.engine.command.verbs import recover
from pandawms.engine.submission import submit
from pandawms.store import identity
from pandawms.wire.checks import decode_document
from tests.engine import invariants
from tests.engine.play import FAILED, FILES, MERGE, answer, ask, outputs, rows, run_with, told, unit_statuses, value
from tests.world import World
from tests.world import task as document

READER: dict[str, Any] = FILES | {"name": "reader", "inputs": {"in": {"dataset": "user.ada:first.out"}}}


async def submit_as_bob(world: World, **words: Any) -> int:
    """Submits a task of another user of the community."""
    async with world.pool.acquire() as connection, connection.transaction():
        user_id = await identity.ensure_user(connection, "test", "bob", "bob")
        await identity.ensure_membership(connection, user_id, await identity.ensure_community(connection, "local"), "member")
        bob = Who(user_id, "bob", "local", scopes=frozenset({"user"}))
        return (await submit(connection, world.services, bob, decode_document(document(**words)))).task_id


async def due(world: World) -> None:
    """Lets the rounds that wait be due."""
    await rows(world, "UPDATE command SET next_at = now() WHERE applied_at IS NULL")


@pytest.mark.parametrize("is_production", [False, True])
async def test_obsolete_reaches_tasks_of_others_only_for_who_may_command_them(world: World, is_production: bool) -> None:
    parent = await world.submit(name="first")
    await world.run_all()
    theirs = await submit_as_bob(world, **READER)
    own = await world.submit(**READER)
    await world.run_all()
    words = await told(world, "obsolete", parent, **({"is_production": True} if is_production else {}))
    left = "" if is_production else f"; not asked, as they belong to others: task {theirs}"
    assert words == f"obsolete: 1 dataset removed{left}"
    assert [await world.status(each) for each in (own, theirs)] == ["obsolete", "obsolete" if is_production else "done"]
    kept = await value(world, "SELECT count(*) FROM dataset WHERE producer_task_id = $1 AND removed_at IS NULL", theirs)
    assert kept == (0 if is_production else 1)
    await invariants.check(world)


async def test_a_task_of_somebody_else_that_still_reads_does_not_stand_in_the_way_of_obsolete(world: World) -> None:
    parent = await world.submit(name="first")
    await world.run_all()
    theirs = await submit_as_bob(world, **READER)
    await world.settle()
    assert await told(world, "obsolete", parent, is_production=True) == f"refused: task {theirs} reads its outputs and has not ended; end it first"
    assert await told(world, "obsolete", parent) == f"obsolete: 1 dataset removed; still read by others: task {theirs}"
    await world.run_all()
    assert (await world.status(parent), await world.status(theirs)) == ("obsolete", "finished"), "all was processed, of inputs that are void"
    assert await unit_statuses(world, theirs) == {"finished": 5}
    await invariants.check(world)


@pytest.mark.parametrize("is_production", [False, True])
async def test_a_retry_reaches_tasks_of_others_only_for_who_may_command_them(world: World, is_production: bool) -> None:
    parent = await world.submit(name="first", retry={"max_attempts": 1})
    await run_with(world, {("run", 2): FAILED})
    theirs = await submit_as_bob(world, **READER, retry={"max_attempts": 1})
    own = await world.submit(**READER, retry={"max_attempts": 1})
    await run_with(world, {("run", 1): FAILED})
    assert [await world.status(each) for each in (parent, own, theirs)] == ["finished"] * 3
    words = await told(world, "retry", parent, **({"is_production": True} if is_production else {}))
    assert words.endswith("2 tasks that read its outputs asked, too" if is_production else f"; not asked, as they belong to others: task {theirs}")
    assert await value(world, "SELECT count(*) FROM command WHERE task_id = $1", theirs) == is_production
    assert await value(world, "SELECT count(*) FROM command WHERE task_id = $1", own) == 1
    await world.run_all()
    await invariants.check(world)


async def test_a_recovery_reaches_tasks_of_others_and_names_them(world: World) -> None:
    parent = await world.submit(name="first")
    await world.run_all()
    theirs = await submit_as_bob(world, **READER)
    await world.run_all()
    words = await told(world, "recover", parent, files=[(await outputs(world, parent))[0]])
    assert words.endswith(f"; task {theirs} that reads them asked, too")
    await world.run_all()
    assert (await world.status(theirs), await unit_statuses(world, theirs)) == ("done", {"finished": 5, "removed": 1})
    await invariants.check(world)


async def test_files_whose_jobs_are_archived_are_not_recovered(world: World) -> None:
    parent = await world.submit(name="first")
    await world.run_all()
    await forget_jobs(world, parent)
    before = await outputs(world, parent)
    assert (await told(world, "recover", parent, files=before[:2])).startswith("refused: the details of the jobs that wrote some of them are archived")
    assert (await outputs(world, parent), await world.status(parent), await unit_statuses(world, parent)) == (before, "done", {"finished": 5})


async def test_what_archived_jobs_made_of_a_lost_file_is_not_taken_for_nothing(world: World) -> None:
    parent = await world.submit(name="first")
    await world.run_all()
    reader = await world.submit(**READER)
    await world.run_all()
    await forget_jobs(world, reader)
    await told(world, "recover", parent, files=[(await outputs(world, parent))[0]])
    found = await value(world, "SELECT answer FROM command WHERE task_id = $1", reader)
    assert found.startswith("refused: the details of the jobs that read the lost files are archived")
    assert (await unit_statuses(world, reader), len(await outputs(world, reader))) == ({"finished": 5}, 5)


async def test_a_task_that_runs_and_of_whose_jobs_some_are_archived_gives_up_what_it_can_no_longer_read(world: World) -> None:
    parent = await world.submit(name="first")
    await world.run_all()
    reader = await world.submit(**READER, scouts={"jobs": 0})
    await world.settle()
    await world.report((await world.claim(1))[0])
    await forget_jobs(world, reader, hot=False)
    await told(world, "recover", parent, files=await outputs(world, parent))
    found = await value(world, "SELECT answer FROM command WHERE task_id = $1", reader)
    assert found.startswith("recovering: 0 files are void, 0 inputs are open again; what it made of 1 lost file stays beside what comes in their place")
    await world.run_all()
    assert (await world.status(reader), await unit_statuses(world, reader)) == ("done", {"finished": 6, "removed": 4})


async def test_a_merged_file_is_not_recovered_when_jobs_before_the_merge_are_archived(world: World) -> None:
    task_id = await world.submit(name="first", outputs={"out": "o.txt"}, merge=MERGE)
    await world.run_all()
    oldest = await value(world, "SELECT min(job_id) FROM job_archive WHERE task_id = $1", task_id)
    await rows(world, "DELETE FROM job_file WHERE job_id = $1", oldest)
    await rows(
        world,
        "INSERT INTO archive_range (from_id, to_id, state, n_jobs, last_ended_at, written_at, retired_at) "
        "VALUES ($1::bigint, $1::bigint + 1, 'retired', 1, now(), now(), now())",
        oldest,
    )
    words = await told(world, "recover", task_id, files=await outputs(world, task_id, "whole"))
    assert words.startswith("refused: the details of the jobs that wrote some of them are archived")


async def forget_jobs(world: World, task_id: int, *, hot: bool = True) -> None:
    """Takes the details of a task's jobs out of the database, as it is when they are archived; those of jobs that have not ended only when `hot`."""
    await rows(world, "DELETE FROM job_file f WHERE task_id = $1 AND ($2 OR NOT EXISTS (SELECT 1 FROM job j WHERE j.job_id = f.job_id))", task_id, hot)
    await rows(world, "DELETE FROM job_archive WHERE task_id = $1", task_id)


async def test_a_paused_reader_whose_outputs_wait_to_be_merged_refuses_and_stays_free(world: World) -> None:
    parent = await world.submit(name="first")
    await world.run_all()
    reader = await world.submit(**READER | {"outputs": {"out": "o.txt"}, "merge": MERGE, "scouts": {"jobs": 0}})
    await world.settle()
    (job,) = await world.claim()
    await world.report(job)
    await world.settle()
    assert (await unit_statuses(world, reader)).get("merging") == 1
    await told(world, "pause", reader)
    await told(world, "recover", parent, files=[job.inputs[0].name])
    found = await value(world, "SELECT answer FROM command WHERE task_id = $1 AND verb = 'recover'", reader)
    assert found == "refused: its outputs wait to be merged; resume it, then recover the files again"
    assert (await told(world, "resume", reader)).startswith("resumed")
    await world.run_all()
    await invariants.check(world)


async def brokered_reader(world: World) -> tuple[int, int, int]:
    """A reader on its way to other queues, and the recovery of a file that it reads: the tasks, and the command."""
    parent = await world.submit(name="first")
    await world.run_all()
    reader = await world.submit(**READER)
    await world.settle()
    sent = await ask(world, "reassign", task_id=reader, queues=["local"])
    while await answer(world, sent) == "None":
        await command(world.pool, world.services)
    assert await world.status(reader) == "reassigning"
    asked = await ask(world, "recover", task_id=parent, files=[(await outputs(world, parent))[0]])
    for _ in range(3):
        await command(world.pool, world.services)
    return parent, reader, asked


async def test_a_reader_on_its_way_is_asked_when_it_has_come(world: World) -> None:
    parent, reader, asked = await brokered_reader(world)
    assert (await answer(world, asked), await value(world, "SELECT count(*) FROM command WHERE task_id = $1 AND verb = 'recover'", reader)) == ("None", 0)
    await world.settle()
    await due(world)
    await world.run_all()
    assert (await answer(world, asked)).endswith(f"; task {reader} that reads them asked, too")
    assert [await world.status(each) for each in (parent, reader)] == ["done", "done"]
    assert await unit_statuses(world, reader) == {"finished": 5, "removed": 1}
    await invariants.check(world)


async def test_a_reader_that_stays_on_its_way_does_not_hold_the_recovery_for_ever(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recover, "MOST_LOOKS", 2)
    _, reader, asked = await brokered_reader(world)
    for _ in range(3):
        await due(world)
        await command(world.pool, world.services)
    assert (await answer(world, asked)).endswith(f"; task {reader} that reads them asked, too")
