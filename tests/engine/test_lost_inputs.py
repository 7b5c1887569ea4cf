"""Lost files of which no recovery told their readers, and lost files that went along with others."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pandawms.engine.watch.void_inputs import step as void_inputs
from pandawms.wire.pilot.claim import JobSpec
from tests.engine import invariants
from tests.engine.play import FAILED, FILES, answer, ask, beat, hot, outputs, rows, run_with, told, unit_statuses, value
from tests.engine.test_splitting import add_sized
from tests.world import World

READER = FILES | {"name": "reader", "scouts": {"jobs": 0}, "inputs": {"in": {"task": "first", "output": "out"}}}


async def look(world: World) -> None:
    """Looks a minute after the last time."""
    then = (await value(world, "SELECT looked_at FROM watch_mark WHERE name = 'void_inputs'")) + timedelta(minutes=1)
    await void_inputs(world.pool, replace(world.services, clock=lambda: then))


async def test_a_task_that_had_ended_and_is_retried_gives_up_files_that_were_lost_meanwhile(world: World) -> None:
    parent = await world.submit(name="first")
    await world.run_all()
    reader = await world.submit(**READER | {"retry": {"max_attempts": 1}})
    await run_with(world, {("run", 1): FAILED})
    lost = await value(world, "SELECT f.name FROM task_file u JOIN file f USING (file_id) WHERE u.task_id = $1 AND u.status = 'failed'", reader)
    await told(world, "recover", parent, files=[lost], sole=True)
    await world.run_all()
    await told(world, "retry", reader)
    await world.run_all()
    assert await hot(world, reader) == {"assigned": 1}, "it waits for a file that nobody makes again"
    await look(world)
    await world.run_all()
    found = await value(world, "SELECT answer FROM command WHERE task_id = $1 AND verb = 'recover'", reader)
    assert found.startswith("recovering: 0 files are void, 0 inputs are open again")
    assert (await world.status(reader), await unit_statuses(world, reader)) == ("done", {"finished": 5, "removed": 1})
    await invariants.check(world)


async def test_a_paused_task_is_asked_about_what_it_lost_when_it_goes_on(world: World) -> None:
    parent = await world.submit(name="first")
    await world.run_all()
    reader = await world.submit(**READER)
    await world.settle()
    await told(world, "pause", reader)
    await ask(world, "set", task_id=reader, priority=7)
    await rows(world, "UPDATE command SET next_at = now() + interval '1 day' WHERE applied_at IS NULL")
    command_id = await ask(world, "recover", task_id=parent, files=[(await outputs(world, parent))[0]])
    await world.settle()
    await rows(world, "UPDATE command SET next_at = now(), progress = progress || '{\"n_looks\": 120}' WHERE command_id = $1", command_id)
    await world.run_all()
    assert f"not asked, as another command is pending: task {reader}" in await answer(world, command_id)
    await rows(world, "UPDATE command SET next_at = now() WHERE applied_at IS NULL")
    await world.settle()
    await look(world)
    assert not await value(world, "SELECT count(*) FROM command WHERE task_id = $1 AND verb = 'recover'", reader)
    await told(world, "resume", reader)
    await world.settle()
    await look(world)
    await world.run_all()
    assert (await world.status(reader), await unit_statuses(world, reader)) == ("done", {"finished": 5, "removed": 1})
    await invariants.check(world)


async def test_the_other_files_of_a_job_that_reads_a_lost_one_are_processed(world: World) -> None:
    parent = await world.submit(name="first")
    await world.run_all()
    reader = await world.submit(**READER | {"split": {"files_per_job": 5}})
    await world.settle()
    (job,) = await world.claim(1)
    await told(world, "recover", parent, files=[job.inputs[1].name])
    assert (await beat(world, job)).verdict == "gone"
    await world.run_all()
    assert (await world.status(reader), await unit_statuses(world, reader)) == ("done", {"finished": 5, "removed": 1})
    assert await value(world, "SELECT max(attempt - max_attempts) FROM task_file WHERE task_id = $1 AND status = 'finished'", reader) < 0
    await invariants.check(world)


async def test_jobs_whose_inputs_are_lost_are_none_of_those_that_a_task_may_have(world: World) -> None:
    parent = await world.submit(name="first")
    await world.run_all()
    reader = await world.submit(**READER | {"split": {"files_per_job": 1, "max_jobs": 5}})
    await world.run_all()
    await told(world, "recover", parent, files=(await outputs(world, parent))[:1])
    await world.run_all()
    assert (await world.status(reader), await unit_statuses(world, reader)) == ("done", {"finished": 5, "removed": 1})
    await invariants.check(world)


# Files that go along ------------------------------------------------------------------------------------------------


def beside(**told: Any) -> dict[str, Any]:
    """A task over five files a job each, with the output of another task beside them."""
    return {
        "name": "reader", "program": {"command": "mix %IN with %{extra:comma} > %OUT"}, "scouts": {"jobs": 0}, "split": {"files_per_job": 1},
        "inputs": {"in": {"dataset": "user.ada:in"}, "extra": {"task": "first", "output": "out"} | told},
    }  # fmt: skip


@pytest.fixture
async def parent(world: World) -> int:
    """A task that has written five files, beside a dataset of five."""
    await add_sized(world, [(name, 1, 10) for name in "abcde"])
    parent = await world.submit(name="first")
    await world.run_all()
    return parent


async def given(world: World, task_id: int) -> list[tuple[str, int]]:
    """Which serial of the parent's files went along with which file, in the jobs that finished."""
    found = await rows(
        world,
        "SELECT m.name, b.number FROM job_archive a JOIN job_file i ON i.job_id = a.job_id AND i.task_file_id IS NOT NULL JOIN file m ON m.file_id = i.file_id"
        " JOIN job_file e ON e.job_id = a.job_id AND e.role = 'input' AND e.task_file_id IS NULL"
        " JOIN secondary_file b ON b.task_dataset_id = e.task_dataset_id AND (b.file_id = e.file_id OR e.file_id = ANY (b.lost_file_ids))"
        " WHERE a.task_id = $1 AND a.status = 'finished' ORDER BY 1, 2",
        task_id,
    )
    return [(row["name"], row["number"]) for row in found]


@pytest.mark.parametrize("how", [{"ratio": 1}, {"per_job": 1}])
async def test_jobs_wait_for_the_file_that_comes_in_place_of_a_lost_one(world: World, parent: int, how: dict[str, Any]) -> None:
    reader = await world.submit(**beside(**how))
    await world.settle()
    first, second = await world.claim(2)
    await world.report(first)
    await told(world, "recover", parent, files=(await outputs(world, parent))[:3])
    await world.settle()
    assert (await hot(world, reader), await value(world, "SELECT reason ->> 'code' FROM task WHERE task_id = $1", reader)) == (
        {"sent": 1, "activated": 2}, "secondary.growing",
    )  # fmt: skip
    await world.report(second, FAILED)
    ran = await world.run_all()
    assert [job.task_id for job in ran].count(parent) == 3
    assert (await world.status(reader), await unit_statuses(world, reader)) == ("done", {"finished": 5})
    assert await given(world, reader) == [("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5)]
    assert await value(world, "SELECT count(*) FROM secondary_file WHERE file_id IS NULL") == 0
    assert await value(world, "SELECT max(attempt) FROM task_file WHERE task_id = $1", reader) == 2, "only the one that failed was an attempt"
    await invariants.check(world)


def extras(ran: Sequence[JobSpec], task_id: int) -> dict[tuple[int | None, int], list[str]]:
    """The files beside the units of jobs of a task, by serial and attempt."""
    return {(job.traits.serial, job.attempt): [file.name for file in job.inputs if file.stream == "extra"] for job in ran if job.task_id == task_id}


async def test_a_job_that_had_a_file_which_none_replaces_gets_another_and_as_many_as_before(world: World, parent: int) -> None:
    reader = await world.submit(**beside(per_job=2, reuse=True))
    await world.settle()
    (first,) = await world.claim(1)
    before = extras([first], reader)[1, 1]
    await told(world, "recover", parent, files=before[:1])
    await told(world, "finish", parent)
    await world.report(first, FAILED)
    again = extras(await world.run_all(), reader)
    assert (await world.status(parent), await world.status(reader)) == ("finished", "done")
    assert all(len(set(names)) == 2 and before[0] not in names for names in again.values()), again
    await invariants.check(world)


async def test_a_file_that_is_lost_twice_is_still_that_of_the_job_that_had_it_first(world: World, parent: int) -> None:
    reader = await world.submit(**beside(per_job=1))
    await world.settle()
    (first,) = await world.claim(1)
    await told(world, "recover", parent, files=extras([first], reader)[1, 1])
    for job in await world.claim(10):
        await world.report(job)
    await world.settle()
    new = await value(world, "SELECT f.name FROM secondary_file s JOIN file f USING (file_id) WHERE s.number = 1")
    await told(world, "recover", parent, files=[new])
    await world.report(first, FAILED)
    again = extras(await world.run_all(), reader)
    last = await value(world, "SELECT f.name FROM secondary_file s JOIN file f USING (file_id) WHERE s.number = 1")
    assert (again[1, 2], await world.status(reader), last not in (new, *extras([first], reader)[1, 1])) == ([last], "done", True)
    await invariants.check(world)


async def test_by_ratio_only_the_unit_whose_file_none_replaces_has_failed(world: World, parent: int) -> None:
    reader = await world.submit(**beside(ratio=1))
    await world.settle()
    held = await world.claim(5)
    for job in held[1:4]:
        await world.report(job)
    await told(world, "recover", parent, files=extras(held[:1], reader)[1, 1])
    await told(world, "finish", parent)
    await world.report(held[0], FAILED)
    await world.report(held[4], FAILED)
    again = extras(await world.run_all(), reader)
    assert again == {(5, 2): extras(held[4:], reader)[5, 1]}
    found = await rows(world, "SELECT number, reason ->> 'code' AS code FROM task_file WHERE task_id = $1 AND status = 'failed'", reader)
    assert [tuple(row) for row in found] == [(1, "secondary.exhausted")]
    assert await world.status(reader) == "finished"
    await invariants.check(world)


async def test_an_input_that_does_not_grow_takes_what_comes_in_place_of_a_lost_file_and_nothing_else(world: World, parent: int) -> None:
    reader = await world.submit(**beside(per_job=1, grow=False))
    await world.settle()
    await told(world, "recover", parent, files=(await outputs(world, parent))[:1])
    await told(world, "extend", parent, changes={"inputs": {"events": {"count": 12}}})
    await world.run_all()
    assert (await world.status(reader), await unit_statuses(world, reader)) == ("done", {"finished": 5})
    assert await given(world, reader) == [("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5)]
    assert await value(world, "SELECT count(*) FROM secondary_file") == 5
    await invariants.check(world)


@pytest.mark.parametrize("status", ["throttled", "waiting"])
async def test_jobs_that_are_held_or_wait_for_a_build_are_withdrawn_too(world: World, parent: int, status: str) -> None:
    build = {"build": {"command": "make %OUT", "output": "lib.tgz"}} if status == "waiting" else {}
    reader = await world.submit(**beside(per_job=1) | build)
    await world.settle()
    if status == "throttled":
        await told(world, "pause", reader)
    assert (await hot(world, reader))[status] == 5
    await told(world, "recover", parent, files=(await outputs(world, parent))[:1])
    assert (await hot(world, reader))[status] == 4
    if status == "throttled":
        await told(world, "resume", reader)
    await world.run_all()
    assert (await world.status(reader), await unit_statuses(world, reader)) == ("done", {"finished": 5})
    await invariants.check(world)


async def test_numbers_are_not_listed_again_when_a_file_beside_them_is_lost(world: World, parent: int) -> None:
    reader = await world.submit(**beside(per_job=1) | {"inputs": {"in": {"pieces": 5}, "extra": beside(per_job=1)["inputs"]["extra"]}})
    await world.settle()
    await told(world, "recover", parent, files=(await outputs(world, parent))[:2])
    await world.run_all()
    assert (await world.status(reader), await unit_statuses(world, reader)) == ("done", {"finished": 5})
    await told(world, "recover", parent, files=(await outputs(world, parent))[:1])
    await world.run_all()
    assert await value(world, "SELECT bool_and(is_complete) FROM task_dataset WHERE task_id = $1 AND is_master", reader)
    await invariants.check(world)


async def test_a_task_that_has_ended_is_left_alone_by_the_clock(world: World, parent: int) -> None:
    reader = await world.submit(**beside(per_job=1))
    await world.run_all()
    await told(world, "recover", parent, files=(await outputs(world, parent))[:1], sole=True)
    await world.run_all()
    await look(world)
    assert (await world.status(reader), await value(world, "SELECT count(*) FROM command WHERE task_id = $1", reader)) == ("done", 0)


async def test_the_whole_of_an_input_has_the_new_files(world: World, parent: int) -> None:
    reader = await world.submit(**beside(whole=True))
    await world.settle()
    await told(world, "recover", parent, files=(await outputs(world, parent))[:2])
    ran = [job for job in await world.run_all() if job.task_id == reader]
    assert (await world.status(reader), [sum(file.stream == "extra" for file in job.inputs) for job in ran]) == ("done", [5] * 5)
    await invariants.check(world)
