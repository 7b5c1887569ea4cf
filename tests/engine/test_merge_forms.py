"""How outputs are merged by size; that they are merged where they are and never seen before is told in scenarios/test_merging.py."""

from tests.engine import invariants
from tests.engine.play import MERGE, rows
from tests.world import World, report_of

MB = 2**20


async def test_outputs_are_merged_by_size_as_soon_as_a_group_is_full(world: World) -> None:
    task_id = await world.submit(merge=MERGE | {"mb_per_job": 10})
    await world.settle()
    jobs = await world.claim(5)
    for job, size_mb in zip(jobs, (4, 4, 4, 25, 3), strict=True):
        told = report_of(job)
        (written,) = told.outputs
        await world.report(job, outputs=(type(written)(written.stream, written.name, size_mb * MB, written.adler32, written.guid),))
        await world.settle()
        if size_mb == 25:
            merged = "SELECT count(*) AS n FROM job_file WHERE task_id = $1 AND role = 'input' AND task_file_id IS NULL GROUP BY job_id"
            early = await rows(world, merged, task_id)
            assert sorted(row["n"] for row in early) == [1, 1, 2], "4 + 4, then 4, then 25 alone; what comes last may still get company"
    merges = await world.run_all()
    assert sorted(len(job.inputs) for job in merges) == [1, 1, 1, 2]
    assert await world.status(task_id) == "done"
    await invariants.check(world)
