"""A job that runs in steps: what its pilot gets, and what is kept and shown of what each step used."""

from pandawms.wire.pilot.report import StepUse
from tests.api.conftest import Api
from tests.api.test_tasks import submitted
from tests.engine.play import FAILED, MERGE, value

STEPS = [{"name": "make", "command": "make %SEED"}, {"name": "run", "command": "run %EVENTS > %OUT"}]
USED = (StepUse("make", 0, 1.5, 1.25, 100.0), StepUse("run", 1, 7.0, 6.5, 300.5))


async def test_a_pilot_gets_the_steps_and_one_command_that_does_the_same(api: Api) -> None:
    await submitted(api, program={"steps": STEPS})
    await api.world.settle()
    (job,) = await api.world.claim()
    seed = job.traits.seed
    assert [(step.name, step.command) for step in job.steps] == [("make", f"make {seed}"), ("run", "run 2 > out.txt")]
    assert job.command == f"(\nmake {seed}\n) && (\nrun 2 > out.txt\n)"
    await submitted(api, name="plain", priority=9000)
    await api.world.settle()
    (plain,) = await api.world.claim()
    assert (plain.steps, plain.command) == ((), "make 2 > out.txt")


async def test_what_each_step_used_is_shown_with_the_job(api: Api) -> None:
    await submitted(api, program={"steps": STEPS})
    await api.world.settle()
    (job,) = await api.world.claim()
    verdict = await api.world.report(job, FAILED, steps=USED)
    assert verdict.verdict == "accepted"
    shown = (await api.ada.get(f"/jobs/{job.job_id}")).json()
    assert [(step["name"], step["exit_code"], step["wall_seconds"], step["max_rss_mb"]) for step in shown["steps"]] == [
        ("make", 0, 1.5, 100.0),
        ("run", 1, 7.0, 300.5),
    ]
    assert shown["command"].startswith("(\nmake %SEED\n)")


async def test_a_job_of_a_task_with_a_build_names_the_library_that_it_reads(api: Api) -> None:
    await submitted(api, program={"command": "tar xf %{build} && bin/run %EVENTS > %OUT"}, build={"command": "make && tar czf %OUT bin", "output": "lib.tgz"})
    await api.world.settle()
    (build,) = await api.world.claim(5)
    run_id = await value(api.world, "SELECT min(job_id) FROM job WHERE status = 'waiting'")
    assert (await api.ada.get(f"/jobs/{run_id}")).json()["library"] is None
    await api.world.report(build)
    await api.world.run_all()
    library = f"{build.outputs[0].scope}:{build.outputs[0].name}"
    assert [(await api.ada.get(f"/jobs/{job_id}")).json()["library"] for job_id in (run_id, build.job_id)] == [library, None]


async def test_a_late_report_keeps_nothing_and_a_job_that_waits_for_its_merge_keeps_its_steps(api: Api) -> None:
    await submitted(api, program={"steps": STEPS}, merge=MERGE, inputs={"events": {"count": 4}})
    await api.world.settle()
    first, second = await api.world.claim(2)
    await api.world.report(first, steps=USED)
    await api.world.report(first, steps=USED[:1])
    await api.world.report(second)
    kept = await value(api.world, "SELECT jsonb_array_length(steps) FROM job_spec WHERE job_id = $1", first.job_id)
    none = await value(api.world, "SELECT steps FROM job_spec WHERE job_id = $1", second.job_id)
    assert (kept, none) == (2, None)
    await api.world.run_all()
    assert len((await api.ada.get(f"/jobs/{first.job_id}")).json()["steps"]) == 2


async def test_the_door_refuses_steps_that_cannot_be_kept(api: Api) -> None:
    await submitted(api, program={"steps": STEPS})
    await api.world.settle()
    (job,) = await api.world.claim()
    told = {
        "job_id": job.job_id, "claim_id": job.claim_id, "attempt": 1, "outcome": {"domain": "none", "code": 0},
        "steps": [{"name": "make", "wall_seconds": -1}],
    }  # fmt: skip
    answer = await api.pilot.post("/pilot/report", json={"protocol": 1, "pilot_version": "1", "jobs": [told]})
    assert (answer.status_code, answer.json()["field"]) == (422, "jobs[0].steps[0].wall_seconds")
