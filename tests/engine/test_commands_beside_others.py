"""Commands beside what others do with their task: pilots that report, verdicts that are given, jobs that are made, writers that are in the way."""

import asyncio
from typing import Any

import pytest

from pandawms.domain.command import Verb
from pandawms.domain.task import TaskEvent
from pandawms.engine import forking
from pandawms.engine.aggregate.step import step as aggregate
from pandawms.engine.broker.step import step as broker
from pandawms.engine.command import changes
from pandawms.engine.command.step import step as command
from pandawms.engine.define.step import step as define
from pandawms.engine.generate.step import step as generate
from pandawms.store import tasks, units
from tests.engine import invariants
from tests.engine.play import FAILED, FILES, HOPELESS, add_dataset, answer, ask, outputs, rows, told, unit_statuses, value
from tests.waiting import until, until_waits_for
from tests.world import World

NO_SCOUTS: dict[str, Any] = {"scouts": {"jobs": 0}}
LATE: dict[str, Any] = {**FILES, **NO_SCOUTS, "inputs": {"in": {"dataset": "user.ada:in", "if_missing": "wait"}}}
FAULT = """CREATE FUNCTION in_the_way() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'in the way' USING ERRCODE = '{}'; END $$;
CREATE TRIGGER in_the_way BEFORE UPDATE ON {} EXECUTE FUNCTION in_the_way()"""
GATE = 4711
WAIT_AT_GATE = f"""CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF current_setting('test.waits', true) = 'yes' THEN PERFORM pg_advisory_xact_lock_shared({GATE}); END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER wait_at_gate AFTER INSERT ON task_file EXECUTE FUNCTION wait_at_gate()"""


async def _move(world: World, task_id: int, event: TaskEvent) -> None:
    async with world.pool.acquire() as connection:
        assert await tasks.move(connection, task_id, event, "test") is not None


# Retry ------------------------------------------------------------------------------------------------------------


async def _exhausted(world: World) -> int:
    """A task of five units that is exhausted while its jobs run: two fail with attempts left, one for good, two finish."""
    task_id = await world.submit(retry={"max_attempts": 3}, **NO_SCOUTS)
    await world.settle()
    jobs = await world.claim(5)
    await world.report(jobs[0], HOPELESS)
    await world.settle()
    await _move(world, task_id, TaskEvent.EXHAUST)
    for job, outcome in zip(jobs[1:], (FAILED, FAILED, None, None), strict=True):
        await (world.report(job, outcome) if outcome else world.report(job))
    await world.settle()
    found = await world.progress(task_id)
    assert (await unit_statuses(world, task_id), found.n_used, found.n_failed) == ({"failed": 3, "finished": 2}, 5, 1)
    return task_id


async def test_an_exhausted_task_with_failures_that_nobody_judged_is_retried(world: World) -> None:
    task_id = await _exhausted(world)
    assert await told(world, "retry", task_id) == "retried: 3 inputs are open again"
    await invariants.check(world)
    await world.run_all()
    assert (await world.status(task_id), await unit_statuses(world, task_id)) == ("done", {"finished": 5})
    await invariants.check(world)


async def test_reopening_what_failed_takes_only_those_out_of_the_count_that_are_in_it(world: World) -> None:
    task_id = await _exhausted(world)
    async with world.pool.acquire() as connection, connection.transaction():
        assert await units.reopen_failed(connection, task_id, 2) == 3
    found = await world.progress(task_id)
    assert (found.n_used, found.n_failed, found.n_finished) == (2, 0, 2)


# Verdicts ---------------------------------------------------------------------------------------------------------


async def _ran(world: World, **outcomes: Any) -> int:
    """A task whose five jobs have ended, with a report that aggregate has not followed yet."""
    task_id = await world.submit(retry={"max_attempts": 1}, **NO_SCOUTS)
    await world.settle()
    jobs = await world.claim(5)
    await (world.report(jobs[0], **outcomes) if outcomes else world.report(jobs[0]))
    await world.settle()
    for job in jobs[1:]:
        await world.report(job)
    return task_id


async def _asked_while_judged(world: World, task_id: int, verb: str, **arguments: Any) -> int:
    """Asks for a command when aggregate has seen that all is settled and has not moved the task yet; returns its id after its first round."""
    async with world.pool.acquire() as guard:
        async with guard.transaction():
            await guard.execute("SELECT 1 FROM task WHERE task_id = $1 FOR NO KEY UPDATE", task_id)
            judging = asyncio.create_task(aggregate(world.pool, world.services))
            await until_waits_for(world.pool, await guard.fetchval("SELECT pg_backend_pid()"))
            command_id = await ask(world, verb, task_id=task_id, **arguments)
            commanding = asyncio.create_task(command(world.pool, world.services))

            async def is_through_or_waits() -> bool:
                waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
                return commanding.done() or int(await guard.fetchval(waiting)) == 2

            await until(is_through_or_waits, "the command is through with its round, or waits")
        await asyncio.gather(judging, commanding)
    return command_id


async def test_a_file_recovered_while_its_task_is_judged_is_made_again(world: World) -> None:
    task_id = await _ran(world)
    lost = (await outputs(world, task_id))[0]
    command_id = await _asked_while_judged(world, task_id, "recover", files=[lost])
    assert len(await world.run_all()) == 1
    assert not (await answer(world, command_id)).startswith("refused")
    assert (await world.status(task_id), await unit_statuses(world, task_id), len(await outputs(world, task_id))) == ("done", {"finished": 5}, 5)
    await invariants.check(world)


async def test_attempts_given_while_the_task_is_judged_come_too_late(world: World) -> None:
    task_id = await _ran(world, outcome=FAILED)
    command_id = await _asked_while_judged(world, task_id, "set", attempts=2)
    await world.settle()
    assert (await answer(world, command_id)).startswith("refused")
    assert (await world.status(task_id), await unit_statuses(world, task_id)) == ("finished", {"failed": 1, "finished": 4})
    await invariants.check(world)


async def test_a_task_is_not_judged_before_its_command_is_through(world: World) -> None:
    task_id = await _ran(world, outcome=FAILED)
    command_id = await ask(world, "set", task_id=task_id, attempts=2)
    await command(world.pool, world.services)
    await aggregate(world.pool, world.services)
    assert await world.status(task_id) == "running"
    assert len(await world.run_all()) == 1
    assert await answer(world, command_id) == "set: 1 inputs may be tried 2 times more"
    assert (await world.status(task_id), await unit_statuses(world, task_id)) == ("done", {"finished": 5})
    await invariants.check(world)


async def test_what_is_set_for_a_task_that_ends_meanwhile_opens_none_of_its_units(world: World) -> None:
    task_id = await world.submit(**NO_SCOUTS)
    await define(world.pool, world.services)
    command_id = await ask(world, "set", task_id=task_id, attempts=2)
    await command(world.pool, world.services)
    await _move(world, task_id, TaskEvent.FAIL_SCOUTS)
    await command(world.pool, world.services)
    assert await answer(world, command_id) == "set: 0 inputs may be tried 2 times more; then the task ended"


# Forks ------------------------------------------------------------------------------------------------------------


async def _fork(world: World, task_id: int) -> int:
    """Makes a copy, as the API does, that waits at the gate as soon as it has units with rows."""
    async with world.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT set_config('test.waits', 'yes', true)")
        original = await tasks.get(connection, task_id)
        assert original is not None
        document = changes.changed(Verb.FORK, original.document, {"name": "copy"})
        return (await forking.fork(connection, world.services, world.who, original, document)).task_id


async def test_a_fork_of_a_task_whose_jobs_are_being_made_has_all_its_units(world: World) -> None:
    task_id = await world.submit(**NO_SCOUTS)
    await define(world.pool, world.services)
    await broker(world.pool, world.services)
    async with world.pool.acquire() as guard:
        await guard.execute(WAIT_AT_GATE)
        async with guard.transaction():
            await guard.execute(f"SELECT pg_advisory_xact_lock({GATE})")
            forking_it = asyncio.create_task(_fork(world, task_id))
            await until_waits_for(world.pool, await guard.fetchval("SELECT pg_backend_pid()"))
            assert await generate(world.pool, world.services), "its ranges become rows"
        copy_id = await forking_it
    assert (await world.progress(copy_id)).n_listed == 5
    await world.run_all()
    assert [(await world.status(each), await unit_statuses(world, each)) for each in (task_id, copy_id)] == [("done", {"finished": 5})] * 2
    await invariants.check(world)


# Inputs that come late --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["reassign", "retry"])
async def test_a_task_that_waits_for_its_input_still_waits_for_it_after_a_command(world: World, verb: str) -> None:
    task_id = await world.submit(**LATE)
    await world.settle()
    if verb == "retry":
        await _move(world, task_id, TaskEvent.EXPIRE)
    await told(world, verb, task_id)
    reason = "SELECT reason ->> 'code' FROM task WHERE task_id = $1"
    assert (await world.status(task_id), await value(world, reason, task_id)) == ("pending", "input.missing")
    await add_dataset(world, 3)
    assert len(await world.run_all()) == 3
    assert (await world.status(task_id), await unit_statuses(world, task_id)) == ("done", {"finished": 3})
    await invariants.check(world)


async def test_a_copy_of_a_task_that_waits_for_its_input_waits_for_it_after_a_command_too(world: World) -> None:
    task_id = await world.submit(**LATE)
    await world.settle()
    copy_id = await _fork(world, task_id)
    await world.settle()
    await told(world, "reassign", copy_id)
    await add_dataset(world, 3)
    assert len(await world.run_all()) == 6
    assert [await world.status(each) for each in (task_id, copy_id)] == ["done", "done"]
    await invariants.check(world)


# Writers in the way -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "table", "n_rounds"), [("40P01", "task_file", 1), ("40001", "task", 0), ("55P03", "task_file", 1), ("53200", "task", 0)])
async def test_a_round_that_another_writer_stopped_is_done_again(world: World, code: str, table: str, n_rounds: int) -> None:
    task_id = await world.submit(**NO_SCOUTS)
    await world.settle()
    command_id = await ask(world, "set", task_id=task_id, attempts=2, memory_mb=2000)
    for _ in range(n_rounds):
        await command(world.pool, world.services)
    async with world.pool.acquire() as connection:
        await connection.execute(FAULT.format(code, table))
    await command(world.pool, world.services)
    await rows(world, f"DROP TRIGGER in_the_way ON {table}")
    (waiting,) = await rows(world, "SELECT applied_at, answer, next_at > asked_at AS is_later FROM command WHERE command_id = $1", command_id)
    assert tuple(waiting) == (None, None, True)
    await rows(world, "UPDATE command SET next_at = now() WHERE command_id = $1", command_id)
    await world.settle()
    assert await answer(world, command_id) == "set: memory_mb = 2000, 5 inputs may be tried 2 times more"
    assert await value(world, "SELECT ordered ->> 'memory_mb' FROM task WHERE task_id = $1", task_id) == "2000"
    assert await value(world, "SELECT min(max_attempts) FROM task_file WHERE task_id = $1", task_id) == await value(
        world, "SELECT max(max_attempts) FROM task_file WHERE task_id = $1", task_id
    )
    await invariants.check(world)
