"""What comes while a task runs becomes jobs at once: in one turn of the engine, without any wait for a clock."""

from itertools import pairwise
from typing import Any

from pandawms.engine.define.step import step as define
from tests.engine import invariants
from tests.engine.play import FILES, add_dataset, add_files, close_dataset, hot, lose, rows, run_with, told, value
from tests.world import STAGES, World

CHILD: dict[str, Any] = FILES | {"name": "child", "inputs": {"in": {"task": "t", "output": "out"}}}
TURNS = 2
"""A turn is one step of each stage in the order of STAGES; the report of a parent's job is seen by aggregate, which is the last of a turn."""


async def turn(world: World, n: int = 1) -> None:
    """Each stage takes one step, n times."""
    for _ in range(n):
        for step in STAGES:
            await step(world.pool, world.services)


async def test_a_registered_file_is_claimable_after_one_turn_of_the_engine(world: World) -> None:
    dataset_id = await add_dataset(world, 0, is_open=True)
    task_id = await world.submit(**FILES)
    await world.settle()
    for n in range(1, 6):
        await add_files(world, dataset_id, 1, n)
        await turn(world)
        assert await hot(world, task_id) == {"activated": n}
    await close_dataset(world, dataset_id)
    await world.run_all()
    assert (await world.status(task_id), (await world.progress(task_id)).n_finished) == ("done", 5)
    await invariants.check(world)


async def test_a_child_has_a_claimable_job_within_two_turns_of_the_parents_report(world: World) -> None:
    await world.submit()
    child = await world.submit(**CHILD)
    await world.settle()
    for n, job in enumerate(await world.claim(5), 1):
        await world.report(job)
        await turn(world, TURNS)
        assert await hot(world, child) == {"activated": n}
    await world.run_all()
    assert await world.status(child) == "done"
    await invariants.check(world)


async def test_a_chain_of_four_starts_with_the_first_file_and_ends_with_the_last(world: World) -> None:
    first = await world.submit()
    names = ["t", "second", "third", "fourth"]
    chain = [first]
    for parent, name in pairwise(names):
        chain.append(await world.submit(**FILES | {"name": name, "inputs": {"in": {"task": parent, "output": "out"}}}))
    await world.settle()
    (job,) = await world.claim()
    for task_id, name in zip(chain, names, strict=True):
        assert job.task_name == name
        await world.report(job)
        await world.settle()
        if name != "fourth":
            job = next(each for each in await world.claim(10) if each.task_name != "t")
        assert await world.status(task_id) == "running"
    await lose(world)
    await run_with(world, {})
    assert [await world.status(task_id) for task_id in chain] == ["done"] * 4
    await invariants.check(world)


async def test_attempts_that_were_ordered_are_those_of_files_that_come_later_too(world: World) -> None:
    dataset_id = await add_dataset(world, 1, is_open=True)
    task_id = await world.submit(**FILES | {"retry": {"max_attempts": 1}})
    await world.settle()
    assert await told(world, "set", task_id, attempts=2) == "set: 1 inputs may be tried 2 times more"
    await add_files(world, dataset_id, 1, 2)
    await turn(world)
    assert [row[0] for row in await rows(world, "SELECT max_attempts FROM task_file ORDER BY number")] == [3, 3]


async def test_an_input_that_cannot_be_listed_does_not_stand_in_the_way_of_others(world: World) -> None:
    ids = [await add_dataset(world, 1, name, is_open=True) for name in ("bad", "good")]
    bad, good = [
        await world.submit(**FILES | {"name": name, "scouts": {"jobs": 0}, "inputs": {"in": {"dataset": f"user.ada:{name}"}}}) for name in ("bad", "good")
    ]  # fmt: skip
    await world.settle()
    await rows(world, "UPDATE task_template SET document = (document::jsonb || '{\"unheard_of\": 1}')::json WHERE task_id = $1", bad)
    for dataset_id in ids:
        await add_files(world, dataset_id, 1, 1)
    await define(world.pool, world.services)
    found = await rows(world, "SELECT task_id, n_listed FROM task_dataset WHERE role = 'input' ORDER BY 1")
    assert [tuple(row) for row in found] == [(bad, 1), (good, 2)]
    assert await value(world, "SELECT reason ->> 'code' FROM task WHERE task_id = $1", bad) == "engine.failed"
    assert await value(world, "SELECT next_listing_at > now() FROM task_dataset WHERE task_id = $1 AND role = 'input'", bad), "not again at once"


async def test_a_paused_task_whose_input_grows_still_says_why_it_is_paused(world: World) -> None:
    dataset_id = await add_dataset(world, 1, is_open=True)
    task_id = await world.submit(**FILES)
    await world.settle()
    await told(world, "pause", task_id, reason="lunch")
    await add_files(world, dataset_id, 1, 1)
    await world.settle()
    assert await value(world, "SELECT n_listed FROM task_dataset WHERE role = 'input'") == 2
    assert await value(world, "SELECT reason ->> 'text' FROM task") == "lunch"
