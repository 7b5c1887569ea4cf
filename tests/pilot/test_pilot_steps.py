"""Jobs of several steps, run by a real pilot."""

from __future__ import annotations

from tests.pilot.pilot_process import Node
from tests.pilot.pilot_server import PilotServer
from tests.pilot.test_pilot_life import log_files


def test_steps_run_in_one_work_folder_and_each_has_its_own_account_and_logs(node: Node, server: PilotServer) -> None:
    steps = [
        {"name": "make", "command": "cd /tmp; echo made; echo 21 > $HOME/n"},
        {"name": "burn", "command": "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"},
        {"name": "double", "command": "echo $(($(cat n) * 2)) > twice.txt; echo worry >&2"},
    ]
    server.add_job(command="exit 9", steps=steps, outputs=[node.output("twice.txt")])
    assert node.run() == 0
    assert (node.storage / "twice.txt").read_text() == "42\n"
    report = server.reports[1]
    assert (report["outcome"]["domain"], report["outcome"]["code"]) == ("none", 0)
    used = report["steps"]
    assert [(step["name"], step["exit_code"]) for step in used] == [("make", 0), ("burn", 0), ("double", 0)]
    assert used[1]["cpu_seconds"] > max(used[0]["cpu_seconds"], used[2]["cpu_seconds"])
    assert all(step["max_rss_mb"] > 0 for step in used)
    for figure in ("wall_seconds", "cpu_seconds"):
        assert abs(report[figure] - sum(step[figure] for step in used)) < 0.01
    logs = log_files(server)
    assert logs["payload.1.make.stdout"] == b"made\n"
    assert logs["payload.3.double.stderr"] == b"worry\n"
    assert "payload.stdout" not in logs


def test_the_first_step_that_fails_ends_the_job_and_is_named(node: Node, server: PilotServer) -> None:
    server.add_job(
        command="true",
        steps=[{"name": "fine", "command": "true"}, {"name": "bad", "command": "echo no such thing >&2; exit 7"}, {"name": "never", "command": "true"}],
    )
    node.run()
    report = server.reports[1]
    assert (report["outcome"]["exit_code"], report["outcome"]["message"]) == (7, "step bad: no such thing")
    assert [(step["name"], step["exit_code"]) for step in report["steps"]] == [("fine", 0), ("bad", 7)]


def test_the_wall_time_of_a_job_is_for_all_its_steps_together(node: Node, server: PilotServer) -> None:
    server.add_job(
        command="true",
        resources={"wall_seconds": 3},
        steps=[{"name": "first", "command": "sleep 2"}, {"name": "second", "command": "sleep 600"}],
    )
    node.run()
    report = server.reports[1]
    assert report["outcome"]["code"] == 1213
    assert report["outcome"]["message"].startswith("step second: ran for ")
    assert 3 <= report["wall_seconds"] < 4.5, "not 3 s for each"
    assert report["steps"][1]["exit_code"] is None or report["steps"][1]["exit_code"] != 0
