"""The command line against a whole system, the way a user types it."""

import json
from pathlib import Path

from tests.system.running import Running, counting_task


def test_one_line_runs_a_program_over_files_and_brings_the_outputs_back(running: Running) -> None:
    work = running.folder / "one-line"
    (work / "data").mkdir(parents=True)
    for name in ("a", "b", "c"):
        (work / "data" / f"{name}.txt").write_text(f"{name}\n" * 3)
    program = work / "count.sh"
    program.write_text('#!/bin/sh\nwc -l < "$1" > "$2"\n')
    program.chmod(0o755)
    running.panda_in(work, "run", "--inputs", "data/*.txt", "--outputs", "out.txt", "--", "./count.sh", "%IN", "%OUT")
    fetched = [path for path in work.rglob("*out*.txt") if path.is_file()]
    assert len(fetched) == 3
    assert {path.read_text().strip() for path in fetched} == {"3"}


def test_lists_are_tab_separated_in_a_pipe_and_json_on_demand(running: Running) -> None:
    running.submit("listed", inputs={"events": {"count": 10}})
    running.wait("listed")
    header, *rows = running.panda("ls").splitlines()
    assert header.split("\t")[:3] == ["task_id", "name", "status"]
    assert any("listed" in row.split("\t") for row in rows)
    assert any(task["name"] == "listed" for task in json.loads(running.panda("--json", "ls")))
    for what in ("jobs", "queues", "sites", "workers", "datasets"):
        assert len(running.panda("ls", what).splitlines()) > 1, what


def test_logs_show_what_a_job_printed(running: Running) -> None:
    running.submit(
        "talks", program={"command": "echo hello from %SERIAL; echo x > %OUT"}, merge=None, inputs={"events": {"count": 1}}, split={"events_per_job": 1}
    )
    running.wait("talks")
    job_id = json.loads(running.panda("--json", "ls", "jobs", "talks"))[0]["job_id"]
    assert "hello from 1" in running.panda("logs", str(job_id))


def test_a_failed_task_says_why_and_its_watch_ends_with_1(running: Running) -> None:
    running.submit(
        "fails",
        program={"command": "echo no such luck >&2; exit 3"},
        merge=None,
        retry={"max_attempts": 2},
        inputs={"events": {"count": 1}},
        split={"events_per_job": 1},
    )
    running.panda("watch", "fails", code=1)
    task = running.task("fails")
    assert (task.status, task.attempts) == ("failed", 2)
    why = json.loads(running.panda("--json", "why", "fails"))
    assert "no such luck" in json.dumps(why)


def test_a_task_that_can_never_run_is_refused_in_two_lines_with_what_would_fit(running: Running) -> None:
    path = write(running, "huge", resources={"cores": 999})
    done = running.try_panda("submit", str(path))
    assert done.returncode == 2
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 2
    assert "local" in lines[0]
    assert "cores: 1" in lines[1]


def test_a_mistyped_key_gets_a_suggestion_and_nothing_is_stored(running: Running) -> None:
    path = write(running, "typo", ressources={"cores": 1})
    done = running.try_panda("submit", str(path))
    assert (done.returncode, "resources" in done.stderr) == (2, True)
    assert "typo" not in running.panda("ls")


def test_a_killed_task_ends_aborted_with_all_its_payloads(running: Running) -> None:
    running.submit("long", program={"command": "sleep 60 # payload-of-long\ntouch %OUT"})
    running.wait_running("long")
    running.panda("kill", "long")
    assert running.wait("long").status == "aborted"


def test_a_single_job_is_killed_by_its_id_and_the_others_go_on(running: Running) -> None:
    command = "if [ %SERIAL = 1 ]; then sleep 60; fi # payload-of-one\necho x > %OUT"
    running.submit("one", program={"command": command}, merge=None, inputs={"events": {"count": 3}}, split={"events_per_job": 1})
    running.wait_running("one")
    first = min(job["job_id"] for job in json.loads(running.panda("--json", "ls", "jobs", "one")))
    running.panda("kill", f"job:{first}")
    task = running.wait("one")
    assert (task.status, task.inputs.finished, task.inputs.failed) == ("finished", 2, 1)


def test_retry_gives_a_failed_task_another_round(running: Running) -> None:
    flag = running.folder / "flag"
    running.submit(
        "flaky",
        program={"command": f"test -e {flag} && echo y > %OUT"},
        merge=None,
        retry={"max_attempts": 1},
        inputs={"events": {"count": 1}},
        split={"events_per_job": 1},
    )
    assert running.wait("flaky").status == "failed"
    flag.touch()
    running.panda("retry", "flaky")
    running.panda("watch", "flaky")
    assert running.task("flaky").status == "done"


def test_dry_run_stores_nothing_and_shows_the_split(running: Running) -> None:
    path = write(running, "dry")
    plan = json.loads(running.panda("--json", "submit", "--dry-run", str(path)))
    text = json.dumps(plan)
    assert '"n_jobs": 8' in text
    assert "local" in text
    assert "dry" not in running.panda("ls")


def test_try_runs_the_first_job_here_and_queues_nothing(running: Running) -> None:
    path = write(running, "tried")
    running.panda("submit", "--try", str(path))
    assert "tried" not in running.panda("ls")


def write(running: Running, name: str, **changes: object) -> Path:
    """Writes a task file in JSON, which is YAML too."""
    path = running.folder / f"{name}.yaml"
    path.write_text(json.dumps(counting_task(name) | changes))
    return path
