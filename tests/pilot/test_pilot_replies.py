"""Lost answers, a server that is away, and what the server's verdicts do."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.pilot.pilot_process import Node, is_alive, wait_until
from tests.pilot.pilot_server import PilotServer


def test_a_claim_whose_answer_was_lost_is_repeated_under_its_claim_id(node: Node, server: PilotServer) -> None:
    server.lose_answers["claim"] = 3
    server.add_job(command="true")
    assert node.run() == 0
    assert server.count("claim") >= 3
    assert len({body["claim_id"] for body in server.bodies("claim")}) == 1
    assert list(server.reports) == [1]


def test_a_report_whose_answer_was_lost_is_repeated_and_keeps_its_outputs(node: Node, server: PilotServer) -> None:
    server.lose_answers["report"] = 3
    server.add_job(command="echo x > a.txt", outputs=[node.output("a.txt")])
    assert node.run() == 0
    reports = server.bodies("report")
    assert len(reports) >= 3
    assert all(report["jobs"] == reports[0]["jobs"] for report in reports)
    assert (node.storage / "a.txt").read_text() == "x\n"


def test_a_late_report_deletes_the_files_that_it_wrote_and_no_others(node: Node, server: PilotServer) -> None:
    node.storage.mkdir()
    (node.storage / "of-another.txt").write_text("keep")
    server.report_verdict = "refused"
    server.add_job(command="echo x > a.txt", outputs=[node.output("a.txt")])
    assert node.run() == 0
    assert [path.name for path in node.storage.iterdir()] == ["of-another.txt"]


def test_a_job_that_is_gone_is_stopped_and_never_reported(node: Node, server: PilotServer) -> None:
    pid_file = node.folder / "pid"
    server.beat_verdict = "gone"
    server.add_job(command=f"echo $$ > {pid_file}; sleep 600", outputs=[node.output("a.txt")])
    assert node.run() == 0
    assert not is_alive(int(pid_file.read_text()))
    assert server.reports == {}
    assert server.logs == {}


def test_a_job_that_is_to_be_killed_is_stopped_and_reported(node: Node, server: PilotServer) -> None:
    server.beat_verdict = "kill"
    server.add_job(command="sleep 600")
    assert node.run() == 0
    outcome = server.reports[1]["outcome"]
    assert (outcome["domain"], outcome["code"], outcome["message"]) == ("user", 1144, "asked")


def test_a_server_that_goes_away_while_the_payload_runs_gets_its_report_afterwards(node: Node, server: PilotServer) -> None:
    go = node.folder / "go"
    server.add_job(command=f"until [ -e {go} ]; do sleep 0.05; done; echo x > a.txt", outputs=[node.output("a.txt")])
    pilot = node.start("--max-jobs", "1")
    server.wait_until(lambda: server.count("heartbeat") >= 2)
    server.stop()
    wait_until(lambda: "heartbeat.unanswered" in node.said())
    go.touch()
    wait_until(lambda: node.said().count("report.unanswered") >= 2)
    assert node.said().count("report.unanswered") < 20, "it keeps trying, but not in a hot loop"
    server.start()
    assert pilot.wait(30) == 0
    assert server.reports[1]["outcome"]["code"] == 0
    assert (node.storage / "a.txt").exists()


def test_a_busy_server_is_asked_again_no_sooner_than_it_said(node: Node, server: PilotServer) -> None:
    server.busy["claim"] = 1
    server.busy["report"] = 1
    server.add_job(command="true")
    assert node.run() == 0
    assert list(server.reports) == [1]


def test_a_log_that_cannot_be_sent_does_not_fail_the_job(node: Node, server: PilotServer) -> None:
    server.busy["log"] = 1
    server.add_job(command="true")
    assert node.run() == 0
    assert server.reports[1]["outcome"]["code"] == 0
    assert server.logs == {}


def test_a_sandbox_that_the_server_no_longer_has_fails_the_job_at_once(node: Node, server: PilotServer) -> None:
    digest = "0" * 64
    sandbox = {"sha256": digest, "size_bytes": 1, "url": f"/api/v2/sandboxes/{digest}"}
    server.add_job(command="true", sandbox=sandbox)
    assert node.run() == 0
    assert server.reports[1]["outcome"]["code"] == 1335


def test_a_sandbox_with_another_checksum_is_not_run(node: Node, server: PilotServer) -> None:
    digest = "1" * 64
    server.sandboxes[digest] = b"something else"
    sandbox = {"sha256": digest, "size_bytes": 1, "url": f"/api/v2/sandboxes/{digest}"}
    server.add_job(command="true", sandbox=sandbox)
    assert node.run() == 0
    assert server.reports[1]["outcome"]["code"] == 2004


@pytest.mark.parametrize("uv", ["/no/uv/here", str(Path(sys.executable).with_name("uv"))], ids=["pip", "uv"])
def test_an_environment_that_cannot_exist_is_told_in_one_line(uv: str, node: Node, server: PilotServer) -> None:
    server.add_job(command="true", environment={"packages": ["not a requirement!"]})
    server.add_job(2, command="true", environment={"python": ">=4"})
    server.add_job(3, command="true", environment={"python": "=>3"})
    assert node.start("--max-jobs", "3", "--uv", uv).wait(60) == 0
    outcomes = {job_id: report["outcome"] for job_id, report in server.reports.items()}
    assert {job_id: outcome["code"] for job_id, outcome in outcomes.items()} == {1: 2002, 2: 2003, 3: 2002}
    assert "not a requirement!" in outcomes[1]["message"]
    assert "\n" not in outcomes[1]["message"]
    assert not outcomes[1]["retryable"]
