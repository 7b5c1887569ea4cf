"""Stories that the system must survive (semantics 14: 1, 2, 4, 5, 8, 10, 21), with a real server, engine, provisioner, pilots and shells.

All tasks that leave the others alone are submitted together before the first test; each test waits for its own.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pandawms.client import Client
from pandawms.wire.command import FinishCommand, TaskCommand
from pandawms.wire.document import TaskDocument
from pandawms.wire.task import TaskDetail
from tests.system.running import Running, started, until

SETTINGS = """
[engine]
lease_seconds = 20
heartbeat_seconds = 1
poll_seconds = 0.2

[local]
idle_seconds = 5
"""
FILES = [f"page-{n:02d}.txt" for n in range(1, 21)]
THREE_FAIL = "case %SERIAL in 3|7|20) echo page %SERIAL is torn >&2; exit 1;; esac"


class Stage:
    """The system, a client of it, and the twenty files."""

    def __init__(self, running: Running, client: Client) -> None:
        self.running, self.client = running, client
        self.pages = client.upload("pages", [_page(running.folder, name) for name in FILES])

    def submit(self, name: str, command: str = "cat %IN > %OUT", **changes: Any) -> None:
        """Submits a task over the twenty files, one a job and tried once, unless told otherwise."""
        base: dict[str, Any] = {
            "name": name, "program": {"command": command}, "inputs": {"in": {"dataset": self.pages}}, "outputs": {"out": "out.txt"},
            "retry": {"max_attempts": 1},
        }  # fmt: skip
        self.client.submit(msgspec.convert(base | changes, TaskDocument), self.running.folder)

    def task(self, name: str) -> TaskDetail:
        """What the API says of a task."""
        return self.client.tasks.get(name)

    def ended(self, name: str, seconds: float = 60) -> TaskDetail:
        """The task, once it has ended."""
        until(lambda: self.task(name).ended_at is not None, seconds, f"{name} has ended: {self.task(name)}")
        return self.task(name)

    def jobs(self, name: str) -> Counter[tuple[str, str]]:
        """How many jobs of a task there are of each kind and status."""
        return Counter((job.kind, job.status) for job in self.client.tasks.jobs(name))

    def outputs(self, name: str, stream: str = "out") -> list[str]:
        """The files in an output of a task."""
        (output,) = [output for output in self.task(name).outputs if output.stream == stream]
        return sorted(file.name for file in self.client.datasets.files(output.dataset_id))

    def got(self, name: str) -> dict[str, str]:
        """The results of a task as a user gets them: name and content."""
        to = self.running.folder / f"got-{name}"
        self.running.panda("get", name, "--to", str(to))
        return {path.name: path.read_text() for path in to.rglob("*") if path.is_file()}

    def command(self, name: str, verb: str, body: TaskCommand | None = None) -> str:
        """Gives a task a command and returns what came of it."""
        given = self.client.tasks.command(name, verb, body)
        until(lambda: self.client.tasks.applied(given.command_id).applied_at is not None, 20, f"{verb} of {name} is applied")
        return self.client.tasks.applied(given.command_id).answer or ""

    @contextmanager
    def gate(self, name: str) -> Iterator[str]:
        """A shell command that waits until the block is left."""
        path = self.running.folder / f"gate-{name}"
        try:
            yield f"until test -e {path}; do sleep 0.1; done"
        finally:
            path.touch()


def _page(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_text(f"{name}\n")
    return path


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """A system with four slots, in which the stories have begun."""
    with started(SETTINGS, slots=4) as running, running.client() as client:
        made = Stage(running, client)
        made.submit("happy", split={"files_per_job": 2})
        made.submit("torn", f"test %ATTEMPT -gt 1 || {THREE_FAIL.replace('case', '{ case').replace('esac', 'esac; }')}; cat %IN > %OUT")
        made.submit("low-goal", f"{THREE_FAIL}; cat %IN > %OUT", goal={"percent": 80, "finish_early": False})
        made.submit("high-goal", f"{THREE_FAIL}; cat %IN > %OUT", goal={"percent": 90, "on_miss": "fail"})
        made.submit("together", split={"files_per_job": 5}, program={"command": f"{THREE_FAIL}; cat %IN > %OUT", "each": {}}, retry={"max_attempts": 2})
        made.submit("scouted", "seq %FIRST_EVENT $((%FIRST_EVENT + %EVENTS - 1)) > %OUT", **SCOUTED)
        yield made


SCOUTED: dict[str, Any] = {
    "inputs": {"events": {"count": 40}}, "split": {"events_per_job": 1}, "scouts": {"jobs": 4, "from_jobs": 20}, "resources": {"memory_mb": 1500},
}  # fmt: skip


def test_twenty_files_in_ten_jobs_are_done_and_the_output_is_closed_with_ten_files(stage: Stage) -> None:
    task = stage.ended("happy")
    assert (task.status, task.inputs.total, task.inputs.finished, task.attempts) == ("done", 20, 20, 10)
    assert stage.jobs("happy") == {("run", "finished"): 10}
    (output,) = task.outputs
    dataset = stage.client.datasets.get(output.dataset_id)
    assert (dataset.is_open, dataset.n_files) == (False, 10)
    got = stage.got("happy")
    assert sorted(got) == stage.outputs("happy")
    assert sorted("".join(got.values()).split()) == FILES, "each file is in one output"


def test_four_scouts_run_first_and_the_other_jobs_get_what_they_needed(stage: Stage) -> None:
    task = stage.ended("scouted")
    assert (task.status, task.inputs.finished) == ("done", 40)
    assert task.scouts is not None
    measured = min(task.scouts.measurements, key=lambda each: each.number)
    jobs = sorted(stage.client.tasks.jobs("scouted"), key=lambda job: job.job_id)
    assert [job.created_at <= measured.measured_at for job in jobs] == [True] * 4 + [False] * 36
    scout, later = stage.client.jobs.get(jobs[0].job_id), stage.client.jobs.get(jobs[-1].job_id)
    assert (scout.memory_mb, scout.wall_limit_seconds) == (1500, 3600)
    assert (later.memory_mb, later.wall_limit_seconds) == (task.scouts.learned["memory_mb"], task.scouts.learned["wall_seconds"])
    assert (later.memory_mb, later.wall_limit_seconds) == (500, 600), "the least that is ever asked for"


def test_three_of_twenty_failed_for_good_is_85_per_cent_and_the_goal_says_what_that_is(stage: Stage) -> None:
    ended = {name: stage.ended(name) for name in ("torn", "low-goal", "high-goal")}
    assert {name: (task.status, task.coverage, task.inputs.failed) for name, task in ended.items()} == {
        "torn": ("finished", 0.85, 3), "low-goal": ("finished", 0.85, 3), "high-goal": ("failed", 0.85, 3),
    }  # fmt: skip
    assert ended["high-goal"].reason == "85 % were processed, its goal is 90 %"
    (group,) = stage.client.tasks.errors("torn").groups
    assert (group.n, group.name) == (3, "payload_failed")


def test_payloads_of_one_job_are_kept_or_tried_again_one_by_one(stage: Stage) -> None:
    task = stage.ended("together")
    assert (task.status, task.inputs.finished, task.inputs.failed) == ("finished", 17, 3)
    sizes = [(job.attempt, job.status, len(stage.client.jobs.get(job.job_id).payloads)) for job in stage.client.tasks.jobs("together")]
    assert Counter(size for size in sizes if size[0] == 1) == {(1, "finished", 5): 1, (1, "failed", 5): 3}
    assert sum(n for attempt, _, n in sizes if attempt == 2) == 3, "the second time only what failed"
    got = stage.got("together")
    assert sorted("".join(got.values()).split()) == [page for n, page in enumerate(FILES, 1) if n not in (3, 7, 20)]
    first = min(job.job_id for job in stage.client.tasks.jobs("together"))
    assert "payload 2 page-03.txt, payload_failed: page 3 is torn" in " ".join(stage.running.panda("show", f"job:{first}").split())


def test_a_goal_that_is_reached_ends_the_task_early(stage: Stage) -> None:
    with stage.gate("goal") as wait:
        stage.submit("early-goal", f"test %SERIAL -le 15 || {wait}; {THREE_FAIL}; cat %IN > %OUT", goal={"percent": 60})
        until(lambda: stage.task("early-goal").status == "finishing", 30, "the goal is reached: 12 of 13 that can be done now")
        until(lambda: stage.jobs("early-goal")["run", "closed"] > 0, 20, "what waits is withdrawn")
    task = stage.ended("early-goal")
    assert task.status == "finished"
    assert 12 <= task.inputs.finished <= 17, "what ran was waited for"
    assert {status for _, status in stage.jobs("early-goal")} <= {"finished", "failed", "closed"}


def test_a_retry_opens_only_what_failed_and_no_name_is_used_twice(stage: Stage) -> None:
    stage.ended("torn")
    before = set(stage.outputs("torn"))
    assert stage.command("torn", "retry") == "retried: 3 inputs are open again"
    task = stage.ended("torn")
    assert (task.status, task.inputs.finished, [each.status for each in task.rounds]) == ("done", 20, ["finished", "done"])
    assert stage.jobs("torn") == {("run", "finished"): 20, ("run", "failed"): 3}
    added = set(stage.outputs("torn")) - before
    assert added == {f"torn.out.{serial:06d}.2.txt" for serial in (3, 7, 20)}
    assert len(before | added) == 20
    assert sorted("".join(stage.got("torn").values()).split()) == FILES


def test_a_child_starts_early_ends_after_its_parent_and_is_retried_with_it(stage: Stage) -> None:
    events = {"inputs": {"events": {"count": 6}}, "split": {"events_per_job": 1}}
    with stage.gate("parent") as wait:
        stage.submit("parent", f"if test %SERIAL -eq 6; then {wait}; test %ATTEMPT -gt 1; fi && echo %SERIAL > %OUT", **events)
        stage.submit("child", inputs={"in": {"task": "parent", "output": "out"}})
        until(lambda: stage.task("child").inputs.finished == 5, 30, "the child has done all that is there")
        assert [stage.task(name).status for name in ("parent", "child")] == ["running", "running"]
    parent, child = stage.ended("parent"), stage.ended("child")
    assert (parent.status, parent.coverage) == ("finished", 5 / 6)
    assert (child.status, child.coverage, child.inputs.total) == ("finished", 1, 5), "never better than its parent"
    assert parent.ended_at is not None and child.ended_at is not None
    assert parent.ended_at <= child.ended_at
    stage.command("parent", "retry")
    until(lambda: stage.task("child").inputs.finished == 6, 30, "the child has done what the retry added")
    assert [stage.ended(name).status for name in ("parent", "child")] == ["done", "done"]
    assert sorted(stage.got("child").values()) == [f"{serial}\n" for serial in range(1, 7)]


def test_a_child_of_a_task_that_failed_has_failed(stage: Stage) -> None:
    stage.submit("barren", "exit 1", inputs={"pieces": {"pieces": 2}})
    stage.submit("orphan", inputs={"in": {"task": "barren", "output": "out"}})
    assert [stage.ended(name).status for name in ("barren", "orphan")] == ["failed", "failed"]
    assert stage.jobs("orphan") == {}


def test_nothing_is_a_result_before_it_is_merged_and_a_merge_that_fails_is_made_again(stage: Stage) -> None:
    with stage.gate("merge") as wait:
        merge = {"inputs": "out", "command": f"{wait}; test %ATTEMPT -gt 1 && cat %IN > %OUT", "outputs": {"whole": "whole.txt"}, "files_per_job": 3}
        stage.submit("merged", "cat %IN > %OUT; echo %SERIAL > %{log}", inputs={"in": {"dataset": stage.pages, "max_files": 6}}, merge=merge,
                     outputs={"out": "out.txt", "log": "log.txt"}, retry={"max_attempts": 2})  # fmt: skip
        until(lambda: stage.jobs("merged")["run", "merging"] == 6, 30, "all jobs wait for their merge")
        assert stage.task("merged").inputs.finished == 0
        assert [stage.outputs("merged", stream) for stream in ("whole", "log")] == [[], []]
        assert stage.running.try_panda("get", "merged", "--to", "got-too-early").stdout.count("merged.") == 0
    task = stage.ended("merged")
    assert (task.status, task.inputs.finished) == ("done", 6)
    assert stage.jobs("merged") == {("run", "finished"): 6, ("merge", "failed"): 2, ("merge", "finished"): 2}
    got = stage.got("merged")
    assert sorted(got) == sorted(stage.outputs("merged", "whole") + stage.outputs("merged", "log"))
    assert sorted("".join(got[name] for name in stage.outputs("merged", "whole")).split()) == FILES[:6]


@pytest.mark.parametrize(("how", "others"), [("soft", {"finished": 4, "closed": 6}), ("hard", {"failed": 4, "cancelled": 6})])
def test_a_finish_keeps_what_there_is(stage: Stage, how: str, others: dict[str, int]) -> None:
    with stage.gate(how) as wait:
        stage.submit(how, f"test %SERIAL -eq 1 || {wait}; cat %IN > %OUT", inputs={"in": {"dataset": stage.pages, "max_files": 11}})
        until(lambda: stage.jobs(how)["run", "running"] == 4 and stage.jobs(how)["run", "finished"] == 1, 30, "four jobs run")
        stage.command(how, "finish", FinishCommand(soft=how == "soft"))
        if how == "hard":
            assert stage.ended(how, 20).status == "finished", "pilots end what they run"
    task = stage.ended(how)
    assert (task.status, task.inputs.finished) == ("finished", 1 + others.get("finished", 0))
    assert stage.jobs(how) == Counter({("run", "finished"): 1}) + Counter({("run", status): n for status, n in others.items()})
    errors = stage.client.tasks.errors(how).groups
    assert [(group.name, group.n) for group in errors] == ([("killed_by_server", 4)] if how == "hard" else [])
