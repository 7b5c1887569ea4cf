"""What was processed stays: when a task is extended, when a copy of it is made, and when some of its files are lost."""

from typing import Any

import pytest

from pandawms.domain.command import Verb
from pandawms.domain.errors import Conflict, Invalid
from pandawms.engine import forking
from pandawms.engine.command import changes
from pandawms.store import tasks
from tests.engine import invariants
from tests.engine.play import (
    FAILED,
    FILES,
    MERGE,
    answer,
    ask,
    beat,
    outputs,
    rows,
    run_with,
    told,
    unit_statuses,
    value,
)
from tests.world import World


async def fork(world: World, task_id: int, name: str, **patch: Any) -> int:
    """Makes a copy as the API does."""
    async with world.pool.acquire() as connection, connection.transaction():
        original = await tasks.get(connection, task_id)
        assert original is not None
        document = changes.changed(Verb.FORK, original.document, {**patch, "name": name})
        return (await forking.fork(connection, world.services, world.who, original, document)).task_id


# Extend -----------------------------------------------------------------------------------------------------------


async def test_an_extension_with_more_events_processes_only_these(world: World) -> None:
    task_id = await world.submit()
    await world.run_all()
    kept = await outputs(world, task_id)
    words = await told(world, "extend", task_id, changes={"inputs": {"events": {"count": 16}}, "split": {"events_per_job": 3}})
    assert words == "extended: its document has version 2; inputs are listed again"
    ran = await world.run_all()
    assert [(job.traits.first_event, job.traits.n_events) for job in ran] == [(11, 3), (14, 3)]
    assert (await world.status(task_id), set(kept) < set(await outputs(world, task_id))) == ("done", True)
    found = await rows(world, "SELECT event, to_status FROM task_event WHERE task_id = $1 ORDER BY event_id", task_id)
    moves = [row["to_status"] for row in found if row["event"] in ("incexec", "rerefine", "refine")]
    assert moves == ["defined", "toincexec", "rerefine", "defined"]
    assert [row["round"] for row in await rows(world, "SELECT round FROM task_round WHERE task_id = $1 ORDER BY 1", task_id)] == [1, 2]
    await invariants.check(world)


async def test_a_killed_task_is_extended_unless_its_name_is_taken(world: World) -> None:
    task_id = await world.submit()
    await world.settle()
    await told(world, "kill", task_id)
    assert await world.status(task_id) == "aborted"
    await told(world, "extend", task_id, changes={"inputs": {"events": {"count": 14}}})
    assert [job.traits.first_event for job in await world.run_all()] == [11, 13]
    assert (await world.status(task_id), len(await outputs(world, task_id))) == ("finished", 2)
    killed = await world.submit(name="u")
    await told(world, "kill", killed)
    other = await world.submit(name="u")
    assert await told(world, "extend", killed, changes={"priority": 5}) == f"refused: its name is that of task {other} now; fork it under another name"
    await invariants.check(world)


async def test_an_extension_takes_nothing_away(world: World) -> None:
    task_id = await world.submit()
    await world.run_all()
    for patch, field in (
        ({"inputs": {"events": {"count": 5}}}, "inputs.events.count"), ({"inputs": {"events": {"first": 7}}}, "inputs.events.first"),
        ({"outputs": {"other": "o"}}, "changes.outputs"), ({"name": "u"}, "changes.name"),
    ):  # fmt: skip
        with pytest.raises(Invalid) as raised:
            async with world.pool.acquire() as connection:
                found = await tasks.get(connection, task_id)
                assert found is not None
                changes.changed(Verb.EXTEND, found.document, patch)
        assert raised.value.field == field
        assert (await told(world, "extend", task_id, changes=patch)).startswith("refused: ")
    assert await world.status(task_id) == "done"


# Fork -------------------------------------------------------------------------------------------------------------


async def test_a_fork_shares_what_is_finished_and_processes_the_rest(world: World) -> None:
    task_id = await world.submit(retry={"max_attempts": 1})
    await run_with(world, {("run", 2): FAILED, ("run", 4): FAILED})
    copy = await fork(world, task_id, "copy", program={"command": "better %EVENTS > %OUT"})
    await world.settle()
    assert await unit_statuses(world, copy) == {"finished": 3, "ready": 2} or await unit_statuses(world, copy) == {"finished": 3, "running": 2}
    assert set(await outputs(world, copy)) == set(await outputs(world, task_id))
    ran = await world.run_all()
    assert [(job.traits.serial, job.command.split()[0]) for job in ran] == [(2, "better"), (4, "better")]
    assert (await world.status(copy), await world.status(task_id)) == ("done", "finished")
    assert len(await outputs(world, copy)) == 5
    places = await rows(world, "SELECT f.name, r.endpoint_id FROM shared_file s JOIN file f USING (file_id) JOIN replica r USING (file_id)")
    assert len(places) == 3, "the copies are where the originals are"
    await invariants.check(world)


async def test_a_fork_of_a_task_that_is_done_is_done_and_may_be_extended_and_forked(world: World) -> None:
    task_id = await world.submit()
    await world.run_all()
    copy = await fork(world, task_id, "copy")
    assert (await world.run_all(), await world.status(copy)) == ([], "done")
    await told(world, "extend", copy, changes={"inputs": {"events": {"count": 14}}})
    assert len(await world.run_all()) == 2
    again = await fork(world, copy, "again")
    assert (await world.run_all(), await world.status(again), len(await outputs(world, again))) == ([], "done", 7)
    await invariants.check(world)


async def test_a_fork_of_a_merging_task_shares_the_merged_file(world: World) -> None:
    task_id = await world.submit(outputs={"out": "o.txt"}, merge=MERGE)
    await world.run_all()
    copy = await fork(world, task_id, "copy")
    assert (await world.run_all(), await world.status(copy)) == ([], "done")
    assert await outputs(world, copy, "whole") == await outputs(world, task_id, "whole")
    await invariants.check(world)


async def test_a_fork_of_a_running_task_leaves_the_original_alone(world: World) -> None:
    task_id = await world.submit()
    await world.settle()
    done, running = await world.claim(2)
    await world.report(done)
    copy = await fork(world, task_id, "copy")
    assert (await beat(world, running)).verdict == "ok"
    await world.report(running)
    await world.run_all()
    assert [await world.status(each) for each in (task_id, copy)] == ["done", "done"]
    assert await value(world, "SELECT count(*) FROM job_archive WHERE task_id = $1", copy) == 4
    with pytest.raises(Conflict):
        await fork(world, task_id, "copy")
    with pytest.raises(Invalid):
        await fork(world, task_id, "other", split={"events_per_job": 1})
    await invariants.check(world)


async def test_a_fork_of_a_task_that_lost_an_input_leaves_it_out_too_and_numbers_its_units_alike(world: World) -> None:
    parent = await world.submit(name="first")
    child = await world.submit(**FILES | {"name": "child", "inputs": {"in": {"task": "first", "output": "out"}}})
    await world.run_all()
    await told(world, "recover", parent, files=[(await outputs(world, parent))[0]])
    await world.run_all()
    copy = await fork(world, child, "copy")
    assert (await world.run_all(), await world.status(copy)) == ([], "done")
    numbers = "SELECT number, status FROM task_file WHERE task_id = $1 ORDER BY number"
    assert [tuple(row) for row in await rows(world, numbers, copy)] == [tuple(row) for row in await rows(world, numbers, child)]
    assert await unit_statuses(world, copy) == {"finished": 5, "removed": 1}
    await invariants.check(world)


# Recover ----------------------------------------------------------------------------------------------------------


async def test_a_lost_file_is_made_again_by_the_units_that_made_it(world: World) -> None:
    task_id = await world.submit()
    await world.run_all()
    lost = (await outputs(world, task_id))[2]
    assert await told(world, "recover", task_id, files=[lost]) == "recovering: 1 file is void, 1 input is open again"
    ran = await world.run_all()
    assert [(job.traits.serial, job.attempt) for job in ran] == [(3, 2)]
    assert (await world.status(task_id), len(await outputs(world, task_id)), lost in await outputs(world, task_id)) == ("done", 5, False)
    assert await value(world, "SELECT count(*) FROM replica r JOIN file f USING (file_id) WHERE f.name = $1", lost) == 0
    assert (await told(world, "recover", task_id, files=["nothing"])).startswith("refused: there is no file nothing")
    await invariants.check(world)


async def test_a_lost_merged_file_is_made_again_from_the_start(world: World) -> None:
    task_id = await world.submit(outputs={"out": "o.txt"}, merge=MERGE | {"files_per_job": 2})
    await world.run_all()
    lost = (await outputs(world, task_id, "whole"))[0]
    words = await told(world, "recover", task_id, files=[lost])
    assert words == "recovering: 3 files are void, 2 inputs are open again"
    ran = await world.run_all()
    assert ([job.kind for job in ran].count("run"), await world.status(task_id)) == (2, "done")
    assert len(await outputs(world, task_id, "whole")) == 3
    await invariants.check(world)


async def test_what_was_made_of_a_lost_file_is_made_again_too(world: World) -> None:
    parent = await world.submit(name="first")
    child = await world.submit(**FILES | {"name": "child", "inputs": {"in": {"task": "first", "output": "out"}}})
    last = await world.submit(**FILES | {"name": "last", "inputs": {"in": {"task": "child", "output": "out"}}})
    await world.run_all()
    assert [await world.status(each) for each in (parent, child, last)] == ["done"] * 3
    lost = (await outputs(world, parent))[1]
    words = await told(world, "recover", parent, files=[lost])
    assert words == f"recovering: 1 file is void, 1 input is open again; task {child} that reads them asked, too"
    ran = await world.run_all()
    assert sorted(job.task_id for job in ran) == [parent, child, last]
    assert [await world.status(each) for each in (parent, child, last)] == ["done"] * 3
    assert [len(await outputs(world, each)) for each in (parent, child, last)] == [5, 5, 5]
    assert (await unit_statuses(world, child)) == {"finished": 5, "removed": 1}
    await invariants.check(world)


async def test_a_task_that_runs_on_a_lost_file_gets_the_new_one(world: World) -> None:
    parent = await world.submit(name="first")
    await world.run_all()
    child = await world.submit(**FILES | {"name": "child", "inputs": {"in": {"task": "first", "output": "out"}}})
    await world.settle()
    first, second = await world.claim(2)
    lost = first.inputs[0].name
    await told(world, "recover", parent, files=[lost])
    assert [(await beat(world, job)).verdict for job in (first, second)] == ["gone", "ok"]
    await world.report(second)
    await world.run_all()
    assert [await world.status(each) for each in (parent, child)] == ["done", "done"]
    assert (await unit_statuses(world, child)) == {"finished": 5, "removed": 1}
    await invariants.check(world)


async def test_a_sole_recovery_leaves_tasks_alone_that_have_ended(world: World) -> None:
    parent = await world.submit(name="first")
    child = await world.submit(**FILES | {"name": "child", "inputs": {"in": {"task": "first", "output": "out"}}})
    await world.run_all()
    command_id = await ask(world, "recover", task_id=parent, files=[(await outputs(world, parent))[1]], sole=True)
    assert {job.task_id for job in await world.run_all()} == {parent}
    assert (await answer(world, command_id)).endswith("1 input is open again")
    assert await unit_statuses(world, child) == {"finished": 5}
    await invariants.check(world)


async def test_a_fork_that_shared_a_lost_file_makes_it_itself(world: World) -> None:
    task_id = await world.submit()
    await world.run_all()
    copy = await fork(world, task_id, "copy")
    await world.run_all()
    await told(world, "recover", task_id, files=[(await outputs(world, task_id))[0]])
    ran = await world.run_all()
    assert sorted((job.task_id, job.traits.serial) for job in ran) == [(task_id, 1), (copy, 1)]
    assert [await world.status(each) for each in (task_id, copy)] == ["done", "done"]
    assert [len(await outputs(world, each)) for each in (task_id, copy)] == [5, 5]
    await invariants.check(world)


async def test_a_fork_that_is_obsolete_or_failed_does_not_open_what_it_shared_when_that_is_lost(world: World) -> None:
    task_id = await world.submit(retry={"max_attempts": 1})
    await run_with(world, {("run", 1): FAILED})
    obsolete, failed = await fork(world, task_id, "obsolete"), await fork(world, task_id, "failed", goal={"percent": 100, "on_miss": "fail"})
    await run_with(world, {("run", 1): FAILED})
    await told(world, "obsolete", obsolete)
    assert [await world.status(each) for each in (obsolete, failed)] == ["obsolete", "failed"]
    await told(world, "recover", task_id, files=await outputs(world, task_id))
    assert {job.task_id for job in await world.run_all()} == {task_id}
    for each in (obsolete, failed):
        assert await unit_statuses(world, each) == {"cancelled": 4, "failed": 1}
    assert (await told(world, "retry", failed)).startswith("retried: 5 inputs are open again")
    await world.run_all()
    assert (await world.status(failed), await unit_statuses(world, failed)) == ("done", {"finished": 5})
    await invariants.check(world)
