"""Tasks that are extended or retried when their inputs have changed, or have not: they end, and nothing that is there is left out."""

from uuid import uuid4

from pandawms.engine.broker.step import step as broker
from pandawms.engine.define.step import step as define
from pandawms.engine.generate.step import step as generate
from pandawms.store import catalogue, events, identity
from pandawms.store.catalogue import NewFile
from tests.engine import invariants
from tests.engine.play import FILES, add_dataset, close_dataset, rows, told
from tests.world import World

AT_ONCE = {"scouts": {"jobs": 0}}


async def counters(world: World, task_id: int) -> list[tuple[int, int, bool]]:
    """Listed and finished units of the primary input, and whether all of it is listed."""
    return [tuple(row) for row in await rows(world, "SELECT n_listed, n_finished, is_complete FROM task_dataset WHERE task_id = $1 AND is_master", task_id)]


async def test_an_extension_that_brings_no_new_number_ends_the_task_again(world: World) -> None:
    task_id = await world.submit(inputs={"events": {"count": 4}}, **AT_ONCE)
    await world.run_all()
    assert await world.status(task_id) == "done"
    await told(world, "extend", task_id, changes={"priority": 900})
    await world.run_all()
    assert await world.status(task_id) == "done"
    assert [complete for _, _, complete in await counters(world, task_id)] == [True]
    await invariants.check(world)


async def test_an_extension_waits_for_a_dataset_that_does_not_exist_and_then_reads_it(world: World) -> None:
    await add_dataset(world, 2)
    task_id = await world.submit(**FILES | AT_ONCE | {"inputs": {"in": {"datasets": ["user.ada:in"], "if_missing": "wait"}}})
    await world.run_all()
    assert await world.status(task_id) == "done"
    await told(world, "extend", task_id, changes={"inputs": {"in": {"datasets": ["user.ada:in", "user.ada:later"], "if_missing": "wait"}}})
    await world.run_all()
    assert await world.status(task_id) == "pending"
    await add_dataset(world, 3, name="later")
    await world.run_all()
    assert (await world.status(task_id), await counters(world, task_id)) == ("done", [(3, 3, True)])  # two of its three names were read before
    await invariants.check(world)


async def test_a_dataset_that_a_task_may_do_without_is_not_waited_for_when_it_is_extended(world: World) -> None:
    await add_dataset(world, 2)
    inputs = {"in": {"datasets": ["user.ada:in", "user.ada:nope"], "if_missing": "ignore"}}
    task_id = await world.submit(**FILES | AT_ONCE | {"inputs": inputs})
    await world.run_all()
    await told(world, "extend", task_id, changes={"priority": 900})
    await world.run_all()
    assert (await world.status(task_id), await counters(world, task_id)) == ("done", [(2, 2, True)])


async def test_parts_of_a_task_that_are_made_together_keep_equal_jobs_equal(world: World) -> None:
    async with world.pool.acquire() as connection, connection.transaction():
        community_id = await identity.ensure_community(connection, "local")
        made = await catalogue.add_dataset(connection, community_id=community_id, owner_id=world.who.user_id, scope="user.ada", name="in")
        assert made is not None
        await events.log(connection, "dataset", made, "create", None, "open", "test")
        files = [NewFile(f"f{n:06d}", uuid4(), 100, b"\0\0\0\1", 10) for n in range(12_000)]
        await catalogue.add_files(connection, made, "user.ada", files, world.endpoint_id)
    await close_dataset(world, made)
    task_id = await world.submit(**FILES | AT_ONCE | {"split": {"n_jobs": 13}})
    while sum([await step(world.pool, world.services) for step in (define, broker, generate)]):
        pass
    sizes = [row["n_inputs"] for row in await rows(world, "SELECT n_inputs FROM job_spec WHERE task_id = $1", task_id)]
    assert (len(sizes), sum(sizes), set(sizes)) == (13, 12_000, {923, 924})
