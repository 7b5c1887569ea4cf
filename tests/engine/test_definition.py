"""How inputs become units: several datasets, datasets that come later, files that are chosen or cut, numbers, and nothing at all."""

from dataclasses import replace
from typing import Any

import pytest

from pandawms.domain.errors import Invalid
from pandawms.engine.define.step import step as define
from pandawms.engine.submission import plan
from pandawms.store import catalogue
from pandawms.wire.checks import decode_document
from tests.engine.play import add_dataset, close_dataset, new_files, rows, value
from tests.world import World, task

READ: dict[str, Any] = {"program": {"command": "cat > %OUT"}, "split": {}, "scouts": {"jobs": 0}}


async def made(world: World, name: str, n_files: int, *, is_open: bool = False) -> int:
    """A dataset user.ada:<name> with files f000000… of ten events each."""
    dataset_id = await add_dataset(world, 0, is_open=True, name=name)
    await more(world, dataset_id, n_files, name)
    if not is_open:
        await close_dataset(world, dataset_id)
    return dataset_id


async def more(world: World, dataset_id: int, n_files: int, prefix: str) -> None:
    """More files, named after the prefix."""
    new = [replace(file, name=f"{prefix}.{file.name}") for file in new_files(n_files)]
    async with world.pool.acquire() as connection, connection.transaction():
        await catalogue.add_files(connection, dataset_id, "user.ada", new, world.endpoint_id)


async def listed(world: World, **document: Any) -> tuple[int, str]:
    """A task after define has looked at it, and its status."""
    task_id = await world.submit(**(READ | document))
    await define(world.pool, world.services)
    return task_id, await world.status(task_id)


async def names(world: World, task_id: int) -> list[str]:
    """The names of the files that are units, in order."""
    query = "SELECT f.name FROM task_file u JOIN file f USING (file_id) WHERE u.task_id = $1 ORDER BY u.number"
    return [row["name"] for row in await rows(world, query, task_id)]


async def test_several_datasets_are_read_one_after_the_other(world: World) -> None:
    for name, n in (("a", 2), ("b", 1), ("c", 2)):
        await made(world, name, n)
    task_id, status = await listed(world, inputs={"in": {"datasets": ["user.ada:c", "user.ada:a"], "max_files": 3}})
    assert status == "ready"
    assert await names(world, task_id) == ["c.f000000", "c.f000001", "a.f000000"]
    assert await value(world, "SELECT is_complete FROM task_dataset WHERE task_id = $1 AND is_master", task_id) is True


async def test_a_task_waits_for_the_dataset_that_it_names_and_then_goes_on(world: World) -> None:
    await made(world, "a", 1)
    task_id, status = await listed(world, inputs={"in": {"datasets": ["user.ada:a", "user.ada:later"], "if_missing": "wait"}})
    assert status == "pending"
    reason = await value(world, "SELECT reason FROM task WHERE task_id = $1", task_id)
    assert (reason["code"], reason["value"]) == ("input.missing", ["user.ada:later"])
    await define(world.pool, world.services)
    assert await world.status(task_id) == "pending"
    await made(world, "later", 2)
    await define(world.pool, world.services)
    assert await world.status(task_id) == "ready"
    assert await names(world, task_id) == ["a.f000000", "later.f000000", "later.f000001"]


async def test_a_task_waits_for_a_task_that_is_not_submitted_yet_and_becomes_its_child(world: World) -> None:
    task_id, status = await listed(world, name="child", inputs={"in": {"task": "parent", "output": "out", "if_missing": "wait"}})
    assert status == "pending"
    parent = await world.submit(name="parent")
    await define(world.pool, world.services)
    assert await world.status(task_id) == "ready"
    assert await value(world, "SELECT parent_task_id FROM task WHERE task_id = $1", task_id) == parent
    await world.run_all()
    assert [await world.status(each) for each in (parent, task_id)] == ["done", "done"]


async def test_missing_datasets_may_be_ignored(world: World) -> None:
    await made(world, "a", 1)
    task_id, status = await listed(world, inputs={"in": {"datasets": ["user.ada:no", "user.ada:a"], "if_missing": "ignore"}})
    assert (status, await names(world, task_id)) == ("ready", ["a.f000000"])


async def test_no_file_is_nothing_to_do_where_that_is_allowed_and_else_broken(world: World) -> None:
    await made(world, "a", 2)
    none = {"dataset": "user.ada:a", "include": ["*.root"]}
    allowed, status = await listed(world, name="allowed", inputs={"in": none | {"may_be_empty": True}})
    assert status == "prepared"
    task_id, status = await listed(world, name="not", inputs={"in": none})
    assert status == "tobroken"
    assert (await value(world, "SELECT reason FROM task WHERE task_id = $1", task_id))["code"] == "input.empty"
    await world.settle()
    assert [await world.status(each) for each in (task_id, allowed)] == ["broken", "done"]


async def test_an_input_that_does_not_grow_is_listed_once(world: World) -> None:
    dataset_id = await made(world, "a", 2, is_open=True)
    task_id, _ = await listed(world, inputs={"in": {"dataset": "user.ada:a", "grow": False}})
    other, _ = await listed(world, name="grows", inputs={"in": {"dataset": "user.ada:a"}})
    await more(world, dataset_id, 3, "b")
    await define(world.pool, world.services)
    assert (len(await names(world, task_id)), len(await names(world, other))) == (2, 5)
    assert await define(world.pool, world.services) == 0


async def test_files_left_out_do_not_make_an_input_grow_for_ever(world: World) -> None:
    dataset_id = await made(world, "a", 4, is_open=True)
    task_id, _ = await listed(world, inputs={"in": {"dataset": "user.ada:a", "exclude": ["*2"], "skip": 1}})
    assert await names(world, task_id) == ["a.f000001", "a.f000003"]
    assert await define(world.pool, world.services) == 0
    await more(world, dataset_id, 3, "b")
    assert await define(world.pool, world.services) == 1
    assert (await names(world, task_id))[2:] == ["b.f000000", "b.f000001"]


async def test_files_are_cut_by_events_and_refused_where_nobody_counted_them(world: World) -> None:
    await made(world, "a", 2)
    task_id, _ = await listed(world, inputs={"in": {"dataset": "user.ada:a"}}, split={"events_per_job": 4})
    query = "SELECT first_event, n_events FROM task_file WHERE task_id = $1 ORDER BY number"
    assert [tuple(row) for row in await rows(world, query, task_id)] == [(0, 4), (4, 4), (8, 2)] * 2
    await rows(world, "UPDATE file SET events = NULL")
    _, status = await listed(world, name="unknown", inputs={"in": {"dataset": "user.ada:a"}}, split={"events_per_job": 4})
    assert status == "tobroken"


async def test_secondary_inputs_have_no_units_and_are_noted(world: World) -> None:
    await made(world, "a", 2)
    dataset_id = await made(world, "b", 3, is_open=True)
    inputs = {"in": {"dataset": "user.ada:a"}, "more": {"dataset": "user.ada:b", "per_job": 1}}
    task_id, _ = await listed(world, inputs=inputs)
    assert await names(world, task_id) == ["a.f000000", "a.f000001"]
    query = "SELECT n_listed, n_seen, is_complete FROM task_dataset WHERE task_id = $1 AND stream = 'more'"
    assert [tuple(row) for row in await rows(world, query, task_id)] == [(0, 3, False)]
    await close_dataset(world, dataset_id)
    assert await define(world.pool, world.services) == 1
    assert [tuple(row) for row in await rows(world, query, task_id)] == [(0, 3, True)]


async def test_pieces_are_numbered_and_max_jobs_leaves_the_rest_out(world: World) -> None:
    task_id, status = await listed(world, inputs={"in": {"pieces": 1000}}, split={"files_per_job": 10, "max_jobs": 7})
    assert status == "ready"
    assert await value(world, "SELECT n_listed FROM task_dataset WHERE task_id = $1 AND is_master", task_id) == 70


async def test_a_dry_run_names_what_a_build_makes(world: World) -> None:
    whole = task(program={"command": "%{build} > %OUT"}, build={"command": "make", "output": "lib.tgz"})
    async with world.pool.acquire() as connection:
        shown = await plan(connection, world.services, world.who, decode_document(whole))
    assert shown.first_jobs[0].command == "lib.tgz > out.txt"


async def test_a_task_does_not_read_what_it_writes(world: World) -> None:
    with pytest.raises(Invalid, match="wait for itself") as caught:
        await world.submit(**(READ | {"inputs": {"in": {"task": "t", "output": "out", "if_missing": "wait"}}}))
    assert caught.value.field == "inputs.in"
    assert "outputs.out" in caught.value.detail


@pytest.mark.parametrize(
    "document",
    [
        {"inputs": {"in": {"dataset": "user.ada:a", "skip": 1}, "more": {"dataset": "user.ada:b", "per_job": 1, "reuse": True}}, "split": {"files_per_job": 2}},
        {"inputs": {"in": {"dataset": "user.ada:a"}, "more": {"dataset": "user.ada:b", "ratio": 0.4}}, "split": {"files_per_job": 3}},
        {"inputs": {"in": {"datasets": ["user.ada:b", "user.ada:a"]}}, "split": {"boundary": {"name_field": 1}, "files_per_job": 4}},
        {"inputs": {"in": {"dataset": "user.ada:a", "max_events": 35}}, "split": {"events_per_job": 4}},
        {"inputs": {"in": {"dataset": "user.ada:a"}, "more": {"dataset": "user.ada:b", "whole": True}}, "split": {"n_jobs": 3}},
        {"inputs": {"in": {"pieces": 7}, "more": {"dataset": "user.ada:b", "whole": True}}, "split": {"files_per_job": 2, "first_serial": 11}},
        {"inputs": {"in": {"count": 10, "first": 5}}, "split": {"n_jobs": 3, "seed_offset": 7}},
    ],
)  # fmt: skip
async def test_a_dry_run_shows_the_jobs_that_are_made(world: World, document: dict[str, Any]) -> None:
    await made(world, "a", 7)
    await made(world, "b", 3)
    has_events = "events_per_job" in document["split"] or "count" in document["inputs"]["in"]
    words = "".join(f" %{{{stream}}}" for stream, spec in document["inputs"].items() if not {"count", "pieces"} & spec.keys())
    text = f"run %SERIAL{' %FIRST_EVENT %EVENTS' if has_events else ''}{words} > %OUT"
    whole = task(**(READ | document | {"program": {"command": text}}))
    async with world.pool.acquire() as connection:
        shown = await plan(connection, world.services, world.who, decode_document(whole))
    task_id = await world.submit(**whole)
    ran = {job.command for job in await world.run_all()}
    assert await world.status(task_id) == "done"
    assert shown.n_jobs == len(ran)
    assert len(shown.first_jobs) == min(3, len(ran))
    assert {job.command for job in shown.first_jobs} <= ran
