"""Jobs of several payloads: each unit has its own end, is done once, and is told of whatever becomes of its job."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

from pandawms.domain.codes import Code
from pandawms.domain.outcome import SUCCESS, Outcome, outcome
from pandawms.engine.submission import plan
from pandawms.wire.checks import decode_document
from pandawms.wire.pilot.claim import JobSpec, Payload
from pandawms.wire.pilot.heartbeat import BeatVerdict, JobBeat
from pandawms.wire.pilot.report import JobReport, PayloadReport, ReportVerdict, WrittenFile
from tests.engine import invariants
from tests.engine.play import FAILED, FILES, HOPELESS, add_dataset, ask, ended, hot, lose, outputs, rows, told, unit_statuses, value
from tests.world import World, task

KILLED = outcome(Code.KILLED_BY_SERVER, "asked")
PREEMPTED = outcome(Code.PREEMPTED, "the slot is gone")
OUT_OF_TIME = outcome(Code.OUT_OF_TIME, "ran for 60 s")


async def submit(world: World, n: int = 6, per_job: int = 3, **changes: Any) -> int:
    """A task of n pieces, several payloads a job, one output each."""
    return await world.submit(**{
        "program": {"command": "make %SERIAL %SEED > %OUT", "each": {}}, "inputs": {"piece": {"pieces": n}}, "split": {"files_per_job": per_job},
    } | changes)  # fmt: skip


def told_of(payload: Payload, how: Outcome = SUCCESS) -> PayloadReport:
    """What a pilot tells of a payload that came to this end, all outputs written when it succeeded."""
    written = tuple(WrittenFile(o.stream, o.name, 10, "00000001", str(uuid4())) for o in payload.outputs) if how.is_success else ()
    return PayloadReport(payload.n, how, 2.0, 1.0, 50.0 + payload.n, written)


def report_of(job: JobSpec, ends: Mapping[int, Outcome], how: Outcome = SUCCESS) -> JobReport:
    """The report of a job whose payloads came to these ends, by place; those not named were not reached."""
    told = tuple(told_of(payload, ends[payload.n]) for payload in job.payloads if payload.n in ends)
    return JobReport(job.job_id, job.claim_id, job.attempt, how, started_at=1.0, wall_seconds=5.0, payloads=told)


async def report(world: World, job: JobSpec, ends: Mapping[int, Outcome], how: Outcome = SUCCESS) -> ReportVerdict:
    """Reports a job so."""
    (verdict,) = await world.reporter.report(world.queue_id, [report_of(job, ends, how)])
    return verdict


async def beat(world: World, job: JobSpec, done: Iterable[int] = ()) -> BeatVerdict:
    """A heartbeat that tells of payloads that succeeded."""
    told = tuple(told_of(job.payloads[n]) for n in done)
    (verdict,) = await world.reporter.heartbeat(world.queue_id, [JobBeat(job.job_id, job.claim_id, job.attempt, "running", payloads=told)])
    return verdict


def well(job: JobSpec, but: Mapping[int, Outcome] | None = None) -> dict[int, Outcome]:
    """All payloads of a job succeed, but these."""
    return {payload.n: SUCCESS for payload in job.payloads} | dict(but or {})


async def claim(world: World) -> JobSpec:
    """Lets the engine work and takes the next job."""
    await world.settle()
    (job,) = await world.claim()
    return job


async def accounts(world: World, job: JobSpec) -> list[str]:
    """What became of the payloads of a job, in order."""
    return [row["status"] for row in await rows(world, "SELECT status FROM job_payload WHERE job_id = $1 ORDER BY n", job.job_id)]


async def test_each_unit_has_its_own_command_seed_and_output(world: World) -> None:
    await submit(world, split={"files_per_job": 3, "first_serial": 101})
    job = await claim(world)
    assert [payload.n for payload in job.payloads] == [0, 1, 2]
    assert [payload.traits.serial for payload in job.payloads] == [101, 102, 103]
    assert len({payload.traits.seed for payload in job.payloads}) == 3
    assert [payload.outputs[0].name for payload in job.payloads] == ["t.out.000101.1.txt", "t.out.000102.1.txt", "t.out.000103.1.txt"]
    assert job.payloads[1].command == f"make 102 {job.payloads[1].traits.seed} > out.txt"
    assert (job.inputs, job.outputs) == ((), ())
    assert "exit 78" in job.command, "what a pilot runs that knows no payloads"


async def test_a_payload_reads_its_own_file_and_all_share_what_goes_along(world: World) -> None:
    await add_dataset(world, 2)
    await add_dataset(world, 1, "calib")
    inputs = FILES["inputs"] | {"calib": {"dataset": "user.ada:calib", "whole": True}}
    await submit(world, program={"command": "fit %{calib} %IN > %OUT", "each": {}}, inputs=inputs, split={"files_per_job": 2})
    job = await claim(world)
    assert [file.name for file in job.inputs] == ["f000000"]
    assert [[file.name for file in payload.inputs] for payload in job.payloads] == [["f000000"], ["f000001"]]
    assert [payload.command for payload in job.payloads] == ["fit f000000 f000000 > out.txt", "fit f000000 f000001 > out.txt"]


async def test_a_job_of_fewer_payloads_than_may_run_at_once_gives_each_more(world: World) -> None:
    await rows(world, "UPDATE queue SET cores = 4, gpus = 2")
    whole = task(
        program={"command": "make %CORES %GPUS > %OUT", "each": {"at_once": 2}}, inputs={"piece": {"pieces": 3}}, split={"files_per_job": 2},
        resources={"cores": 4, "gpus": 2},
    )  # fmt: skip
    async with world.pool.acquire() as connection:
        shown = await plan(connection, world.services, world.who, decode_document(whole))
    assert [job.command for job in shown.first_jobs] == ["make 2 1 > out.txt", "make 4 2 > out.txt"]
    await world.submit(**whole)
    await world.settle()
    jobs = await world.claim(2, cores=4, gpus=2)
    assert [[payload.command for payload in job.payloads] for job in jobs] == [["make 2 1 > out.txt"] * 2, ["make 4 2 > out.txt"]]
    assert [(job.resources.cores, job.each.at_once) for job in jobs] == [(4, 2), (4, 1)]


async def test_a_task_whose_payloads_all_succeed_is_done_with_an_output_of_each(world: World) -> None:
    task_id = await submit(world)
    for _ in range(2):
        job = await claim(world)
        verdict = await report(world, job, well(job))
        assert (verdict.verdict, verdict.status, verdict.payloads) == ("accepted", "finished", (0, 1, 2))
    await world.settle()
    assert await world.status(task_id) == "done"
    assert len(await outputs(world, task_id)) == 6
    assert await value(world, "SELECT max(max_rss_mb) FROM job_payload") == 52
    await invariants.check(world)


async def test_of_a_job_that_failed_in_part_only_what_failed_is_tried_again(world: World) -> None:
    task_id = await submit(world, n=3)
    job = await claim(world)
    verdict = await report(world, job, well(job, {1: FAILED}))
    assert (verdict.verdict, verdict.status, verdict.payloads) == ("accepted", "failed", (0, 2))
    assert await value(world, "SELECT message FROM job_archive") == "1 of 3 payloads failed; the first: exit 1"
    assert await outputs(world, task_id) == ["t.out.000001.1.txt", "t.out.000003.1.txt"]
    await invariants.check(world)
    again = await claim(world)
    assert [payload.outputs[0].name for payload in again.payloads] == ["t.out.000002.2.txt"]
    await report(world, again, well(again))
    await world.settle()
    assert await world.status(task_id) == "done"
    assert await outputs(world, task_id) == ["t.out.000001.1.txt", "t.out.000002.2.txt", "t.out.000003.1.txt"]
    await invariants.check(world)


async def test_each_unit_is_judged_by_the_outcome_of_its_own_payload(world: World) -> None:
    task_id = await submit(world, n=4, per_job=4)
    job = await claim(world)
    hungry = outcome(Code.TOO_MUCH_MEMORY, "uses 2000 MB")
    await report(world, job, well(job, {0: HOPELESS, 1: hungry, 2: PREEMPTED}))
    await world.settle()
    units = await rows(world, "SELECT status, attempt, max_attempts, memory_mb, free_attempts FROM task_file ORDER BY number")
    assert [tuple(unit) for unit in units[:1]] == [("failed", 1, 1, None, 0)], "no such program: not tried again"
    assert units[1]["memory_mb"] > 1000, "more memory for the one that ran out of it"
    assert (units[2]["max_attempts"], units[2]["free_attempts"], units[2]["memory_mb"]) == (4, 1, None), "a preemption costs nothing"
    assert units[3]["status"] == "finished"
    assert await unit_statuses(world, task_id) == {"failed": 1, "running": 2, "finished": 1}
    await invariants.check(world)


async def test_units_that_were_not_reached_go_into_the_next_job_and_lose_nothing(world: World) -> None:
    task_id = await submit(world, n=4, per_job=4)
    job = await claim(world)
    verdict = await report(world, job, {0: SUCCESS, 1: OUT_OF_TIME}, OUT_OF_TIME)
    assert verdict.status == "failed"
    assert await accounts(world, job) == ["finished", "failed", "unreached", "unreached"]
    assert await value(world, "SELECT message FROM job_archive") == "ran for 60 s (1 of 4 payloads done)"
    await invariants.check(world)
    await world.settle()
    units = await rows(world, "SELECT attempt, max_attempts - attempt AS left, failed_attempts - forgiven_failures AS failures FROM task_file ORDER BY number")
    assert [(unit["left"], unit["failures"]) for unit in units[1:]] == [(1, 1), (2, 0), (2, 0)]
    again = [await claim(world), await claim(world)]
    names = [payload.outputs[0].name for each in again for payload in each.payloads]
    assert sorted(names) == ["t.out.000002.2.txt", "t.out.000003.2.txt", "t.out.000004.2.txt"]
    for each in again:
        await report(world, each, well(each))
    await world.settle()
    assert await world.status(task_id) == "done"
    await invariants.check(world)


async def test_what_heartbeats_told_is_done_when_the_pilot_is_lost(world: World) -> None:
    task_id = await submit(world, n=3)
    job = await claim(world)
    assert (await beat(world, job, [0])).payloads == (0,)
    assert (await beat(world, job, [0, 2])).payloads == (0, 2), "a repeat is taken once"
    assert await outputs(world, task_id) == ["t.out.000001.1.txt", "t.out.000003.1.txt"]
    assert await unit_statuses(world, task_id) == {"finished": 2, "running": 1}
    await invariants.check(world)
    await lose(world, job.job_id)
    late = await report(world, job, well(job))
    assert (late.verdict, late.payloads) == ("refused", (0, 2)), "the pilot deletes what the second one wrote, and keeps the others"
    assert len(await outputs(world, task_id)) == 2
    again = await claim(world)
    assert [payload.traits.serial for payload in again.payloads] == [2]
    await report(world, again, well(again))
    await world.settle()
    assert await world.status(task_id) == "done"
    assert len(await outputs(world, task_id)) == 3
    await invariants.check(world)


async def test_a_report_after_heartbeats_counts_every_payload_once(world: World) -> None:
    task_id = await submit(world, n=3)
    job = await claim(world)
    await beat(world, job, [0, 1])
    full = report_of(job, well(job, {2: FAILED}))
    for expected in ("accepted", "repeated"):
        (verdict,) = await world.reporter.report(world.queue_id, [full])
        assert (verdict.verdict, verdict.status, verdict.payloads) == (expected, "failed", (0, 1))
    progress = await world.progress(task_id)
    assert progress.n_finished == 2
    assert len(await outputs(world, task_id)) == 2
    assert (await beat(world, job, [2])).verdict == "gone"
    await invariants.check(world)


async def test_a_large_report_leaves_out_what_heartbeats_told_and_all_of_it_counts(world: World) -> None:
    task_id = await submit(world)
    for last, status in ((SUCCESS, "finished"), (FAILED, "failed")):
        job = await claim(world)
        assert (await beat(world, job, [0, 1])).payloads == (0, 1)
        verdict = await report(world, job, {2: last})
        assert (verdict.verdict, verdict.status) == ("accepted", status)
        assert verdict.payloads == ((0, 1, 2) if last is SUCCESS else (0, 1))
        assert await accounts(world, job) == ["finished", "finished", status]
        await invariants.check(world)
    assert await value(world, "SELECT message FROM job_archive WHERE status = 'failed'") == "1 of 3 payloads failed; the first: exit 1"
    assert len(await outputs(world, task_id)) == 5


async def test_heartbeat_report_and_loss_at_once_count_every_payload_once(world: World) -> None:
    task_id = await submit(world, n=3)
    job = await claim(world)
    full = report_of(job, well(job))
    await asyncio.gather(beat(world, job, [0, 1]), world.reporter.report(world.queue_id, [full, full]), beat(world, job, [1, 2]))
    await world.settle()
    assert await world.status(task_id) == "done"
    assert len(await outputs(world, task_id)) == 3
    await invariants.check(world)


async def test_a_job_that_is_stopped_before_its_first_payload_ends_as_any_other(world: World) -> None:
    await submit(world, n=2)
    job = await claim(world)
    await report(world, job, {}, PREEMPTED)
    await world.settle()
    units = await rows(world, "SELECT attempt, max_attempts, free_attempts FROM task_file")
    assert {tuple(unit) for unit in units} == {(2, 4, 1)}
    assert await accounts(world, job) == []
    await invariants.check(world)


async def test_a_killed_task_keeps_what_was_done_before(world: World) -> None:
    task_id = await submit(world, n=3)
    job = await claim(world)
    await beat(world, job, [0])
    await ask(world, "kill", task_id=task_id)
    await world.settle()
    assert (await beat(world, job)).verdict == "kill"
    await report(world, job, {0: SUCCESS}, KILLED)
    await world.settle()
    assert await world.status(task_id) == "aborted"
    assert await unit_statuses(world, task_id) == {"finished": 1, "failed": 2}
    assert await outputs(world, task_id) == ["t.out.000001.1.txt"]
    await invariants.check(world)


async def test_a_success_without_an_output_is_a_failure_of_that_payload_alone(world: World) -> None:
    task_id = await submit(world, n=2)
    job = await claim(world)
    full = report_of(job, well(job))
    bare = replace(full, payloads=(full.payloads[0], replace(full.payloads[1], outputs=())))
    await world.reporter.report(world.queue_id, [bare])
    assert await accounts(world, job) == ["finished", "failed"]
    assert await outputs(world, task_id) == ["t.out.000001.1.txt"]
    await invariants.check(world)


async def test_a_pilot_that_knows_no_payloads_does_no_harm_and_is_named(world: World) -> None:
    await submit(world, n=2)
    job = await claim(world)
    await world.report(job, outcome(Code.PAYLOAD_FAILED, "update it", exit_code=78), payloads=())
    assert await value(world, "SELECT error_code FROM job_archive") == Code.PILOT_TOO_OLD.number
    await world.report(await claim(world), payloads=())
    assert await value(world, "SELECT count(*) FROM job_archive WHERE status = 'failed'") == 2
    await world.settle()
    assert await value(world, "SELECT max(failed_attempts - forgiven_failures) FROM task_file") == 0
    await invariants.check(world)


async def test_what_succeeded_in_part_is_merged_with_what_another_job_adds(world: World) -> None:
    merge = {"inputs": "out", "command": "cat %IN > %OUT", "outputs": {"whole": "whole.txt"}}
    task_id = await submit(world, n=4, per_job=2, merge=merge)
    first, second = await claim(world), (await world.claim())[0]
    assert (await beat(world, first, [0])).payloads == (), "what waits for a merge is told at the end"
    verdict = await report(world, first, well(first, {1: FAILED}))
    assert (verdict.status, verdict.payloads) == ("merging", (0,))
    await report(world, second, well(second))
    await invariants.check(world)
    again = await claim(world)
    assert [payload.outputs[0].name for payload in again.payloads] == ["t.out.000002.2.txt"]
    await invariants.check(world)
    await report(world, again, well(again))
    merging = await claim(world)
    assert (merging.kind, len(merging.inputs)) == ("merge", 4)
    await world.report(merging)
    await world.settle()
    assert await world.status(task_id) == "done"
    assert await ended(world, task_id) == {"finished": 4}
    assert len(await outputs(world, task_id, "whole")) == 1
    await invariants.check(world)


async def test_what_payloads_of_one_job_wrote_is_merged_together_or_not_at_all(world: World) -> None:
    merge = {"inputs": "out", "command": "cat %IN > %OUT", "outputs": {"whole": "whole.txt"}, "files_per_job": 3}
    task_id = await submit(world, n=6, per_job=2, merge=merge, retry={"max_attempts": 1})
    for _ in range(3):
        job = await claim(world)
        await report(world, job, well(job))
    sizes = []
    for how in (HOPELESS, None, None):
        merging = await claim(world)
        sizes.append(len(merging.inputs))
        await (world.report(merging, how) if how else world.report(merging))
    await world.settle()
    assert sizes == [2, 2, 2]
    assert await world.status(task_id) == "finished"
    assert await unit_statuses(world, task_id) == {"failed": 2, "finished": 4}
    assert not await hot(world, task_id)
    await invariants.check(world)


async def test_a_lost_output_of_a_job_that_failed_in_part_is_made_again(world: World) -> None:
    task_id = await submit(world, n=3, retry={"max_attempts": 1})
    job = await claim(world)
    await report(world, job, well(job, {1: FAILED}))
    await world.settle()
    assert await world.status(task_id) == "finished"
    await told(world, "recover", task_id, files=["t.out.000001.1.txt"])
    again = await claim(world)
    assert [payload.traits.serial for payload in again.payloads] == [1, 3], "all that the void job had done"
    await report(world, again, well(again))
    await world.settle()
    assert await world.status(task_id) == "finished"
    assert await outputs(world, task_id) == ["t.out.000001.2.txt", "t.out.000003.2.txt"]
    await invariants.check(world)
