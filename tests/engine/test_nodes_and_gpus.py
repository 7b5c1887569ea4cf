"""Jobs over several nodes and on GPUs of a kind go only where there are such, and `why` says what they wait for."""

from typing import Any
from uuid import uuid4

import pytest

from pandawms.domain.errors import Invalid
from pandawms.engine.dispatch.plan import Claim
from pandawms.engine.explain import read
from pandawms.store import jobs, tasks
from pandawms.wire.pilot.claim import ClaimRequest, JobSpec
from pandawms.wire.why import Why
from tests.engine.play import rows, value
from tests.engine.test_splitting import add_queue
from tests.world import World, report_of

WIDE = {"nodes": 4, "cores": 8}
A100 = {"gpus": 2, "gpu_model": "A100-SXM4", "gpu_memory_mb": 40_000}
COMMAND = {"command": "srun -N %NODES --gpus %GPUS make %EVENTS > %OUT"}


async def why(world: World, job_id: int) -> Why:
    """Why a job is as it is."""
    async with world.pool.acquire() as connection:
        found = await jobs.get(connection, job_id)
        assert found is not None
        return await read.job(connection, found)


async def claim_in(world: World, queue_id: int, **slot: Any) -> tuple[JobSpec, ...]:
    """A claim of a pilot of another queue."""
    given: dict[str, Any] = {"n_jobs": 1, "memory_mb": 8000, "disk_mb": 100_000, "architecture": "x86_64"} | slot
    return await world.dispatcher.claim(Claim(queue_id, ClaimRequest(1, "test", uuid4().hex, "q", "node", **given)))


async def test_a_job_of_four_nodes_is_only_claimed_by_a_slot_of_four(world: World) -> None:
    queue_id = await add_queue(world, "wide", **WIDE)
    task_id = await world.submit(program=COMMAND, resources=WIDE, inputs={"events": {"count": 1}}, split={"events_per_job": 1})
    await world.settle()
    (job_id,) = [row["job_id"] for row in await rows(world, "SELECT job_id FROM job")]
    assert await claim_in(world, queue_id, cores=64) == (), "a pilot that does not know of nodes"
    assert await claim_in(world, queue_id, cores=64, nodes=3) == ()
    assert await world.claim(cores=64, nodes=4) == (), "a slot of another queue"
    told = {cause.code: cause.text for cause in (await why(world, job_id)).causes}
    assert "4 nodes" in told["job.slot"]
    async with world.pool.acquire() as connection:
        found = await tasks.get(connection, task_id)
        assert found is not None
        (rejected,) = (await read.task(connection, found)).rejections
    assert (rejected.queue, rejected.rule, rejected.limit, rejected.value) == ("local", "nodes", 1, 4)
    (job,) = await claim_in(world, queue_id, cores=8, nodes=4)
    assert (job.command, job.resources.nodes, job.resources.cores) == ("srun -N 4 --gpus 0 make 1 > out.txt", 4, 8)


async def test_gpus_are_given_by_number_model_and_memory_and_old_pilots_get_none_of_a_kind(world: World) -> None:
    queue_id = await add_queue(world, "gpu", **A100)
    wanted = {"gpus": 2, "gpu_model": "a100*", "gpu_memory_mb": 40_000}
    await world.submit(program=COMMAND, resources=wanted, inputs={"events": {"count": 1}}, split={"events_per_job": 1})
    await world.settle()
    for lack in ({"gpu_model": "H100"}, {"gpu_memory_mb": 39_999}, {"gpus": 1}, {"gpu_model": "", "gpu_memory_mb": 0}):
        assert await claim_in(world, queue_id, **A100 | lack) == ()
    (job,) = await claim_in(world, queue_id, **A100)
    assert (job.command, job.resources.gpus) == ("srun -N 1 --gpus 2 make 1 > out.txt", 2)


async def test_what_asks_for_nothing_special_still_goes_to_any_pilot(world: World) -> None:
    queue_id = await add_queue(world, "gpu", **A100, **WIDE)
    await world.submit(queues=["gpu"], resources={"gpus": 1})
    await world.submit(name="u", queues=["gpu"])
    await world.settle()
    assert len(await claim_in(world, queue_id, gpus=1, n_jobs=10)) == 10


async def test_build_and_merge_jobs_of_a_wide_task_have_one_node(world: World) -> None:
    queue_id = await add_queue(world, "wide", **WIDE, **A100)
    await world.submit(
        resources=WIDE | {"gpus": 1}, build={"command": "make", "output": "lib.tgz"}, scouts={"jobs": 0},
        merge={"inputs": "out", "command": "cat %IN > %{all}", "outputs": {"all": "all.txt"}},
    )  # fmt: skip
    await world.settle()
    (build,) = await claim_in(world, queue_id, cores=8)
    assert (build.kind, build.resources.nodes, build.resources.gpus) == ("build", 1, 0)
    await world.reporter.report(queue_id, [report_of(build)])
    while True:
        await world.settle()
        found = await claim_in(world, queue_id, cores=8, nodes=4, gpus=1)
        assert found
        if found[0].kind == "merge":
            break
        assert (found[0].resources.nodes, found[0].resources.gpus) == (4, 1)
        await world.reporter.report(queue_id, [report_of(found[0])])
    assert found[0].resources.nodes == 1


@pytest.mark.parametrize(("asked", "field"), [({"nodes": 2}, "resources.nodes"), ({"gpus": 1, "gpu_model": "H100"}, "resources.gpus")])
async def test_a_task_that_no_queue_has_the_nodes_or_gpus_for_is_refused_at_once(world: World, asked: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        await world.submit(resources=asked)
    assert caught.value.field == field
    assert await value(world, "SELECT count(*) FROM task") == 0
