"""A task of ten thousand files is made into jobs fast, and a claim finds its job by the index among fifty thousand."""

import json
import time
from typing import Any

import pytest

from pandawms.store import jobs, places
from pandawms.store.sql import load
from tests.engine.play import FILES, add_dataset, hot, rows, value
from tests.world import World

N_FILES = 10_000
N_READY = 50_000


async def test_ten_thousand_files_become_ten_thousand_ready_jobs(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    await add_dataset(world, N_FILES)
    task_id = await world.submit(**FILES)
    began = time.monotonic()
    await world.settle()
    seconds = time.monotonic() - began
    with capsys.disabled():
        print(f"\n{N_FILES} files: jobs made and activated in {seconds:.2f} s")
    assert await hot(world, task_id) == {"activated": N_FILES}
    assert seconds < 30, "generous: bench/ has the measure"
    assert await value(world, "SELECT count(DISTINCT task_file_id) FROM job_file WHERE role = 'input'") == N_FILES
    assert await value(world, "SELECT min(n_used) = max(n_listed) FROM task_dataset WHERE is_master") is True


async def fill(world: World) -> None:
    """Fifty thousand ready jobs of one task, without the engine."""
    await world.submit(inputs={"events": {"count": 2}})
    await world.settle()
    await rows(
        world,
        "WITH s AS (INSERT INTO job_spec (task_id, version, kind, attempt, delta)"
        "   SELECT task_id, version, kind, attempt, delta FROM job_spec, generate_series(2, $1) RETURNING job_id)"
        " INSERT INTO job (job_id, task_id, community_id, share_id, queue_id, requirement_id, priority, attempt, status)"
        " SELECT s.job_id, j.task_id, j.community_id, j.share_id, j.queue_id, j.requirement_id, 1000 + s.job_id % 7, j.attempt, j.status FROM s, job j",
        N_READY,
    )


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """All nodes of a plan."""
    return [plan, *(node for child in plan.get("Plans", ()) for node in nodes(child))]


async def explain_claim(world: World) -> list[dict[str, Any]]:
    """The nodes of the plan by which one job is claimed, as it ran (and rolled back)."""
    async with world.pool.acquire() as connection:
        shares = [row.share_id for row in await places.shares(connection)]
        classes = await jobs.fitting(connection, cores=1, memory_mb=4000, disk_mb=10_000, wall_seconds=None, architecture="x86_64", gpus=0)
        found = load("jobs").claim.sql
        transaction = connection.transaction()
        await transaction.start()
        text = await connection.fetchval(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {found}", shares, classes, world.queue_id, ["00000000-0000-0000-0000-000000000001"], [None], 30.0
        )  # the parameters in the order in which the statement first names them
        await transaction.rollback()
    (plan,) = json.loads(text) if isinstance(text, str) else text
    return nodes(plan["Plan"])


@pytest.mark.parametrize("is_analyzed", [False, True])
async def test_a_claim_among_fifty_thousand_ready_jobs_reads_only_the_one_it_takes(world: World, is_analyzed: bool) -> None:
    await fill(world)
    if is_analyzed:
        await rows(world, "ANALYZE")
    assert await value(world, "SELECT count(*) FROM job WHERE status = 'activated'") == N_READY
    plan = await explain_claim(world)
    scans = [node for node in plan if node.get("Relation Name") == "job" and "Scan" in node["Node Type"]]
    ready = [node for node in scans if node.get("Index Name") == "job_ready"]
    assert len(ready) == 1, f"picked by {[(node['Node Type'], node.get('Index Name')) for node in scans]}"
    assert ready[0]["Actual Rows"] <= 2
    assert not [node for node in scans if node["Node Type"] == "Seq Scan"]
    assert all(node["Actual Rows"] * node["Actual Loops"] < 100 for node in plan)
