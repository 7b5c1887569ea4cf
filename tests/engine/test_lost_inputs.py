"""Lost files of which no recovery told their readers, and lost files that went along with others."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pandawms.engine.watch.void_inputs import step as void_inputs
from tests.engine import invariants
from tests.engine.play import FAILED, FILES, answer, ask, hot, outputs, rows, run_with, told, unit_statuses, value
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
        " JOIN secondary_file b ON b.task_dataset_id = e.task_dataset_id AND (b.file_id = e.file_id OR b.lost_file_id = e.file_id)"
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


async def test_what_comes_behind_a_lost_file_moves_up_when_none_comes_in_its_place(world: World, parent: int) -> None:
    reader = await world.submit(**beside(per_job=1, reuse=True))
    await world.settle()
    await world.report((await world.claim(1))[0])
    await told(world, "recover", parent, files=(await outputs(world, parent))[1:3])
    await told(world, "finish", parent)
    await world.run_all()
    assert ([await world.status(each) for each in (parent, reader)], await unit_statuses(world, reader)) == (["finished", "done"], {"finished": 5})
    numbers = [row["number"] for row in await rows(world, "SELECT number FROM secondary_file ORDER BY 1")]
    assert (numbers, await value(world, "SELECT count(*) FROM secondary_file WHERE file_id IS NULL")) == ([1, 2, 3], 0)
    await invariants.check(world)


async def test_the_whole_of_an_input_has_the_new_files(world: World, parent: int) -> None:
    reader = await world.submit(**beside(whole=True))
    await world.settle()
    await told(world, "recover", parent, files=(await outputs(world, parent))[:2])
    ran = [job for job in await world.run_all() if job.task_id == reader]
    assert (await world.status(reader), [sum(file.stream == "extra" for file in job.inputs) for job in ran]) == ("done", [5] * 5)
    await invariants.check(world)
