"""What went wrong with the jobs of a task, grouped: however many there are, and kept with the verdict of the round."""

from pandawms.domain.codes import Code
from pandawms.domain.outcome import outcome
from pandawms.engine.aggregate.ending import error_summary
from pandawms.engine.aggregate.errors import Summary
from tests.engine import invariants
from tests.engine.play import ask, rows, run_with
from tests.world import World

MANY = """
INSERT INTO job_archive (job_id, task_id, community_id, share_id, queue_id, requirement_id, attempt, status, error_domain, error_code, message, is_retryable)
SELECT 500000 + i, $1, 1, 1, $2, 1, 1, 'failed', 'payload', 1305, format('lost file /data/f%s of %s files at node-%s', i, i * 7, i % 50), true
FROM generate_series(1, 100000) AS s (i)
"""


async def summary(world: World, task_id: int) -> Summary:
    """The errors of a task."""
    async with world.pool.acquire() as connection:
        return await error_summary(connection, task_id)


async def test_failures_that_differ_by_numbers_and_paths_are_one_kind_and_kept_with_the_round(world: World) -> None:
    task_id = await world.submit(retry={"max_attempts": 1})
    broke = {
        ("run", 1): outcome(Code.PAYLOAD_FAILED, "cannot read /data/a/1.root: error 5", exit_code=1),
        ("run", 2): outcome(Code.PAYLOAD_FAILED, "cannot read /data/b/2.root: error 7", exit_code=1),
        ("run", 3): outcome(Code.SIGSEGV, "crashed at 0x7ffe01", signal=11),
    }
    await run_with(world, broke)
    found = await summary(world, task_id)
    assert [(group.n, group.pattern, group.queues) for group in found.groups] == [
        (2, "cannot read <path>: error <n>", (("local", 2),)),
        (1, "crashed at <hash>", (("local", 1),)),
    ]
    assert found.groups[0].first_at <= found.groups[0].last_at and len(found.groups[0].job_ids) == 2
    (kept,) = await rows(world, "SELECT status, verdict FROM task_round WHERE task_id = $1", task_id)
    assert (kept["status"], kept["verdict"]["n_errors"], [group["n"] for group in kept["verdict"]["errors"]]) == ("finished", 3, [2, 1])
    await ask(world, "retry", task_id=task_id)
    await world.run_all()
    rounds = await rows(world, "SELECT status, verdict FROM task_round WHERE task_id = $1 ORDER BY round", task_id)
    assert [row["status"] for row in rounds] == ["finished", "done"], "the earlier verdict stays"
    assert rounds[0]["verdict"] == kept["verdict"]
    await invariants.check(world)


async def test_a_hundred_thousand_failures_with_as_many_messages_are_one_kind(world: World) -> None:
    task_id = await world.submit()
    await rows(world, MANY, task_id, world.queue_id)
    await rows(world, "ANALYZE job_archive")
    found = await summary(world, task_id)
    assert (found.n, found.groups[0].n, len(found.groups)) == (100_000, 100_000, 1)
    assert found.groups[0].pattern == "lost file <path> of <n> files at <n>"


async def test_a_task_without_failures_has_an_empty_summary(world: World) -> None:
    task_id = await world.submit()
    await world.run_all()
    assert await summary(world, task_id) == Summary(0, ())
