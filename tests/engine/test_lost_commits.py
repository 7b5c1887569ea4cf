"""A commit whose answer was lost, between us and the database: the caller repeats its call, and what it did is looked up, not done again."""

from collections.abc import Sequence
from uuid import uuid4

import asyncpg
import pytest

from pandawms.engine.gathering import Gatherer
from tests.world import World, report_of


class Losing:
    """Does the work of a batch, commit and all, and then fails for the first time as a broken connection would."""

    def __init__(self, work: object) -> None:
        self.work, self.calls = work, 0

    async def __call__(self, items: Sequence[object]) -> object:
        self.calls += 1
        answers = await self.work(items)  # type: ignore[operator]  # any of the gatherers' works
        if self.calls == 1:
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
        return answers


async def test_a_report_whose_commit_was_not_answered_is_found_to_be_taken(world: World) -> None:
    task_id = await world.submit(inputs={"events": {"count": 2}})
    await world.settle()
    (job,) = await world.claim()
    world.reporter._reports = Gatherer(Losing(world.reporter._take_reports))  # type: ignore[arg-type]
    report = report_of(job)
    with pytest.raises(asyncpg.ConnectionDoesNotExistError):
        await world.reporter.report(world.queue_id, [report])
    (verdict,) = await world.reporter.report(world.queue_id, [report])
    assert (verdict.verdict, verdict.status) == ("repeated", "finished")
    await world.settle()
    assert await world.status(task_id) == "done"
    assert (await world.progress(task_id)).n_finished == 1


async def test_a_claim_whose_commit_was_not_answered_gives_the_jobs_that_it_got(world: World) -> None:
    await world.submit()
    await world.settle()
    losing = Losing(world.dispatcher._work)
    world.dispatcher._gatherer = Gatherer(losing)  # type: ignore[arg-type]
    claim_id = uuid4()
    with pytest.raises(asyncpg.ConnectionDoesNotExistError):
        await world.claim(claim_id=claim_id)
    (job,) = await world.claim(claim_id=claim_id)
    assert job.claim_id == claim_id.hex
    world.dispatcher.__post_init__()
    others = await world.claim(10)
    assert len(others) == 4, "the lost answer cost no job"
