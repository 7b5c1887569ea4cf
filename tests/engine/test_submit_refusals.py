"""A submission that cannot work is refused with the field, what is allowed and a hint; and nothing of it is stored."""

import asyncio
from typing import Any

import pytest

from pandawms.domain.errors import Conflict, Invalid, PandaError
from pandawms.store import catalogue, identity
from tests.engine.play import FILES, MERGE, add_dataset, ask, rows, value
from tests.world import World

TABLES = ("task", "task_template", "task_dataset", "task_event", "task_file", "dataset", "entity_event", "job_spec")


async def counts(world: World) -> dict[str, int]:
    """How many rows each table has that a submission may write."""
    return {table: await value(world, f"SELECT count(*) FROM {table}") for table in TABLES}


async def refused(world: World, kind: type[PandaError], **document: Any) -> PandaError:
    """Submits, expects this refusal and that nothing was written."""
    before = await counts(world)
    with pytest.raises(kind) as caught:
        await world.submit(**document)
    assert await counts(world) == before
    return caught.value


async def test_an_unknown_dataset_is_refused_with_the_nearest_name(world: World) -> None:
    await add_dataset(world, 1, "muons-2026")
    error = await refused(world, Invalid, **FILES | {"inputs": {"in": {"dataset": "user.ada:muons-2062"}}})
    assert (error.code, error.field, error.hint) == ("input.unknown_dataset", "inputs.in.dataset", "did you mean user.ada:muons-2026?")


async def test_datasets_of_other_communities_are_no_suggestion(world: World) -> None:
    async with world.pool.acquire() as connection, connection.transaction():
        other = await identity.ensure_community(connection, "other")
        assert await catalogue.add_dataset(connection, community_id=other, owner_id=world.who.user_id, scope="user.eve", name="secret-2026")
    error = await refused(world, Invalid, **FILES | {"inputs": {"in": {"dataset": "user.eve:secret-2062"}}})
    assert (error.code, error.hint) == ("input.unknown_dataset", "`panda ls datasets` lists them")


async def test_an_unknown_task_is_refused_with_the_nearest_name(world: World) -> None:
    await world.submit(name="z-evgen")
    error = await refused(world, Invalid, **FILES | {"inputs": {"in": {"task": "z-evgne", "output": "out"}}})
    assert (error.code, error.field, error.hint) == ("input.unknown_task", "inputs.in.task", "did you mean z-evgen?")


async def test_an_unknown_output_is_refused_with_those_there_are(world: World) -> None:
    await world.submit(name="first", outputs={"muons": "m.txt"}, program={"command": "true"})
    error = await refused(world, Invalid, **FILES | {"inputs": {"in": {"task": "first", "output": "muon"}}})
    assert (error.code, error.field, error.allowed, error.hint) == ("input.unknown_output", "inputs.in.output", "muons", "did you mean muons?")


async def test_an_output_that_is_only_merged_cannot_be_read(world: World) -> None:
    await world.submit(name="first", merge=MERGE)
    error = await refused(world, Invalid, **FILES | {"inputs": {"in": {"task": "first", "output": "out"}}})
    assert (error.code, error.allowed) == ("input.unknown_output", "whole")


async def test_an_input_that_is_empty_for_good_is_refused(world: World) -> None:
    await add_dataset(world, 0)
    error = await refused(world, Invalid, **FILES)
    assert (error.code, error.field, error.value) == ("input.empty", "inputs.in", "user.ada:in")


async def test_an_input_that_is_empty_and_open_is_taken(world: World) -> None:
    await add_dataset(world, 0, is_open=True)
    assert await world.status(await world.submit(**FILES)) == "registered"


async def test_too_many_jobs_are_refused_with_what_would_do(world: World) -> None:
    error = await refused(world, Invalid, inputs={"events": {"count": 2_000_002}}, split={"events_per_job": 2})
    assert (error.code, error.field) == ("too_many_jobs", "split.events_per_job")
    await add_dataset(world, 1)
    await rows(world, "UPDATE dataset SET n_files = 1000001 WHERE name = 'in'")
    error = await refused(world, Invalid, **FILES)
    assert (error.code, error.value) == ("split.too_many_jobs", 1_000_001)


async def test_the_name_of_a_task_that_exists_is_refused_and_free_again_after_its_kill(world: World) -> None:
    task_id = await world.submit()
    error = await refused(world, Conflict)
    assert (error.code, error.field, error.value) == ("task.name_taken", "name", "t")
    await ask(world, "kill", task_id=task_id)
    await world.settle()
    assert await world.submit() > task_id


async def test_the_name_of_a_task_that_is_done_stays_taken(world: World) -> None:
    await world.submit()
    await world.run_all()
    assert (await refused(world, Conflict)).code == "task.name_taken"


async def test_an_output_that_exists_as_a_dataset_is_refused(world: World) -> None:
    await add_dataset(world, 1, "t.out")
    error = await refused(world, Conflict)
    assert (error.code, error.field, error.value) == ("output.name_taken", "outputs.out", "user.ada:t.out")


async def test_of_two_submissions_of_one_name_at_once_one_is_taken_and_the_other_leaves_nothing(world: World) -> None:
    found = await asyncio.gather(*(world.submit() for _ in range(5)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in found) == ["Conflict"] * 4 + ["int"]
    assert (await counts(world))["dataset"] == (await counts(world))["task"] == 1


async def test_what_no_queue_can_ever_run_is_refused_with_the_nearest_queue(world: World) -> None:
    error = await refused(world, Invalid, resources={"memory_mb": 5000, "cores": 2})
    assert (error.code, error.field, error.value, error.allowed) == ("task.impossible", "resources.cores", 2, "at most 1 in local")
    assert error.hint == "it would fit with cores: 1, memory_mb: 4000"


async def test_a_queue_that_does_not_exist_is_refused_with_the_nearest_name(world: World) -> None:
    error = await refused(world, Invalid, queues=["local", "locla"])
    assert (error.code, error.field, error.hint) == ("queue.unknown", "queues[1]", "did you mean local?")


async def test_a_community_of_others_is_refused(world: World) -> None:
    error = await refused(world, Invalid, community="locla")
    assert (error.code, error.field, error.hint) == ("community.unknown", "community", "did you mean local?")


async def test_a_sandbox_that_was_never_uploaded_is_refused(world: World) -> None:
    error = await refused(world, Invalid, program={"command": "true", "sandbox": "ab" * 32})
    assert (error.code, error.field) == ("sandbox.unknown", "program.sandbox")


async def test_an_unknown_placeholder_is_refused(world: World) -> None:
    error = await refused(world, Invalid, program={"command": "make %EVNETS > %OUT"})
    assert error.field == "program.command"
    assert "EVENTS" in (error.hint or "")
