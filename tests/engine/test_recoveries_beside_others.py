"""Recoveries beside what others do with the tasks that read or share the lost files."""

import asyncio

from pandawms.engine.aggregate.step import step as aggregate
from pandawms.engine.command.step import step as command
from pandawms.engine.define import listing as inputs
from pandawms.store import listing
from pandawms.wire.checks import decode_document
from tests.engine import invariants
from tests.engine.play import FILES, answer, ask, outputs, rows, unit_statuses, value
from tests.engine.test_extend_fork_recover import fork
from tests.waiting import until, until_waits_for
from tests.world import World


async def test_a_reader_whose_command_never_ends_is_named_after_ten_minutes_and_asked_when_the_files_are_recovered_again(world: World) -> None:
    parent = await world.submit(name="first")
    child = await world.submit(**FILES | {"name": "child", "inputs": {"in": {"task": "first", "output": "out"}}})
    await world.run_all()
    stuck = await ask(world, "retry", task_id=child)
    await rows(world, "UPDATE command SET next_at = now() + interval '1 day' WHERE command_id = $1", stuck)
    lost = (await outputs(world, parent))[1]
    command_id = await ask(world, "recover", task_id=parent, files=[lost])
    await world.run_all()
    assert await value(world, "SELECT applied_at IS NULL FROM command WHERE command_id = $1", command_id), "it waits for the other command"
    await rows(world, "UPDATE command SET next_at = now(), progress = progress || '{\"n_looks\": 120}' WHERE command_id = $1", command_id)
    await world.run_all()
    assert (await answer(world, command_id)).endswith(f"not asked, as another command is pending: task {child}: recover the files again when that is through")
    await rows(world, "UPDATE command SET next_at = now() WHERE command_id = $1", stuck)
    await world.run_all()
    again = await ask(world, "recover", task_id=parent, files=[lost])
    assert {job.task_id for job in await world.run_all()} == {child}
    assert await answer(world, again) == f"recovering: 1 file is void, 0 inputs are open again; task {child} that reads them asked, too"
    assert ([await world.status(each) for each in (parent, child)], await unit_statuses(world, child)) == (["done", "done"], {"finished": 5, "removed": 1})
    await invariants.check(world)


async def test_a_reader_that_waits_with_a_recovery_of_its_own_is_not_waited_for(world: World) -> None:
    """Else both wait: the reader until its outputs are merged, the merge until the writer has ended, and the writer until its command is through."""
    parent = await world.submit(name="first")
    child = await world.submit(**FILES | {"name": "child", "inputs": {"in": {"task": "first", "output": "out"}}})
    await world.run_all()
    asked = await ask(world, "recover", task_id=child, files=[], reread=True)
    await rows(world, "UPDATE command SET next_at = now() + interval '1 day', progress = '{}' WHERE command_id = $1", asked)
    lost = (await outputs(world, parent))[1]
    command_id = await ask(world, "recover", task_id=parent, files=[lost])
    await world.run_all()
    assert await answer(world, command_id) == f"recovering: 1 file is void, 1 input is open again; task {child} that reads them asked, too"
    assert await world.status(parent) == "done"
    await rows(world, "UPDATE command SET next_at = now() WHERE command_id = $1", asked)
    await world.run_all()
    assert (await world.status(child), await unit_statuses(world, child)) == ("done", {"finished": 5, "removed": 1})
    await invariants.check(world)


async def test_a_fork_of_a_reader_that_was_asked_and_has_not_looked_yet_leaves_the_lost_files_out(world: World) -> None:
    parent = await world.submit(name="first")
    child = await world.submit(**FILES | {"name": "child", "inputs": {"in": {"task": "first", "output": "out"}}})
    await world.run_all()
    await ask(world, "recover", task_id=parent, files=[(await outputs(world, parent))[1]])
    await command(world.pool, world.services)
    await command(world.pool, world.services)
    assert await rows(world, "UPDATE command SET next_at = now() + interval '1 day' WHERE task_id = $1 AND applied_at IS NULL RETURNING 1", child)
    copy_id = await fork(world, child, "copy")
    assert await unit_statuses(world, copy_id) == {"finished": 4, "removed": 1}
    await world.run_all()
    await rows(world, "UPDATE command SET next_at = now() WHERE task_id = $1", child)
    await world.run_all()
    for task_id in (child, copy_id):
        assert (await world.status(task_id), await unit_statuses(world, task_id)) == ("done", {"finished": 5, "removed": 1})
    await invariants.check(world)


async def test_a_fork_that_is_judged_while_a_file_that_it_shares_is_recovered_makes_it_again(world: World) -> None:
    task_id = await world.submit(scouts={"jobs": 0})
    await world.settle()
    jobs = await world.claim(5)
    await world.report(jobs[0])
    await world.settle()
    copy_id = await fork(world, task_id, "copy")
    await world.settle()
    for job in [*jobs[1:], *await world.claim(5)]:
        await world.report(job)
    async with world.pool.acquire() as guard:
        async with guard.transaction():
            await guard.execute("SELECT 1 FROM task WHERE task_id = $1 FOR NO KEY UPDATE", copy_id)
            judging = asyncio.create_task(aggregate(world.pool, world.services))
            await until_waits_for(world.pool, await guard.fetchval("SELECT pg_backend_pid()"))
            await ask(world, "recover", task_id=task_id, files=[jobs[0].outputs[0].name])
            commanding = asyncio.create_task(command(world.pool, world.services))

            async def is_through_or_waits() -> bool:
                waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
                return commanding.done() or int(await guard.fetchval(waiting)) == 2

            await until(is_through_or_waits, "the recovery is through with its round, or waits")
        await asyncio.gather(judging, commanding)
    assert sorted(job.task_id for job in await world.run_all()) == [task_id, copy_id]
    assert [(await world.status(each), await unit_statuses(world, each)) for each in (task_id, copy_id)] == [("done", {"finished": 5})] * 2
    await invariants.check(world)


async def test_a_reader_that_lists_a_file_while_it_is_lost_is_asked(world: World) -> None:
    parent = await world.submit(name="first")
    child = await world.submit(**FILES | {"name": "child", "scouts": {"jobs": 0}, "inputs": {"in": {"task": "first", "output": "out"}}})
    await world.settle()
    first, *_ = await world.claim(5)
    await world.report(first)
    async with world.pool.acquire() as lister:
        async with lister.transaction():
            (grown,) = await listing.growing(lister, ["ready", "running", "scouting"], 1)
            assert await listing.hold_growing(lister, ["ready", "running", "scouting"], grown.task_dataset_id) is not None
            await inputs.feed(lister, grown, decode_document(grown.document))
            await ask(world, "recover", task_id=parent, files=[first.outputs[0].name])
            commanding = asyncio.create_task(command(world.pool, world.services))
            await until_waits_for(world.pool, await lister.fetchval("SELECT pg_backend_pid()"))
        await commanding
    assert await unit_statuses(world, child) == {"ready": 1}
    await world.run_all()
    assert await value(world, "SELECT answer FROM command WHERE task_id = $1", parent) == (
        f"recovering: 1 file is void, 1 input is open again; task {child} that reads them asked, too"
    )
    await invariants.check(world)
