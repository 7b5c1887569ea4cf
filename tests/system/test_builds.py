"""A C++ program is compiled by a build job, run, and merged, by real pilots."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.running import Running, started

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "build-cpp"

pytestmark = pytest.mark.skipif(not all(map(shutil.which, ("make", "g++", "tar"))), reason="needs make, g++ and tar")


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """A system with two slots."""
    with started() as system:
        yield system


def jobs(running: Running, name: str) -> list[tuple[str, str]]:
    """Kind and status of all jobs of a task, in the order in which they were made."""
    with running.client() as client:
        found = sorted(client.jobs.list(task_id=client.tasks.get(name).task_id), key=lambda job: job.job_id)
        return [(job.kind, job.status) for job in found]


def test_a_program_is_compiled_once_and_run_by_all_jobs_and_the_merge(running: Running) -> None:
    running.panda("submit", str(EXAMPLE / "pi.yaml"))
    task = running.wait("pi", 180)
    assert task.status == "done", running.panda("why", "pi")
    assert jobs(running, "pi") == [("build", "finished"), *[("run", "finished")] * 10, ("merge", "finished")]
    assert {output.stream for output in task.outputs} == {"counts", "result"}
    running.panda("get", "pi", "--to", str(running.folder / "results"))
    (result,) = (running.folder / "results").rglob("*.txt")
    told = dict(line.split() for line in result.read_text().splitlines())
    assert told["points"] == "20000000"
    assert abs(float(told["pi"]) - 3.14159265) < 5 * float(told["error"])


def test_a_mistake_in_the_source_ends_the_task_with_the_compilers_words(running: Running) -> None:
    folder = running.folder / "broken"
    shutil.copytree(EXAMPLE, folder)
    with (folder / "integral.cpp").open("a") as source:
        source.write("int broken = no_such_name;\n")
    running.panda("submit", str(folder / "pi.yaml"), "--name", "broken", "--set", "retry.max_attempts=1")
    task = running.wait("broken", 120)
    assert task.status == "failed"
    assert jobs(running, "broken") == [("build", "failed"), *[("run", "closed")] * 10]
    assert "no_such_name" in running.panda("why", "broken")


def test_try_builds_and_runs_the_first_job_here(running: Running) -> None:
    told = running.panda("submit", str(EXAMPLE / "pi.yaml"), "--name", "here", "--try", "--set", "split.events_per_job=1000")
    assert told.startswith("ok: the first job succeeded")
