"""A job that has copies asks at its gate before it runs, or before it stores, and obeys the answer."""

from __future__ import annotations

from tests.pilot.pilot_process import Node
from tests.pilot.pilot_server import PilotServer

KILLED = 1144


def phases(server: PilotServer) -> list[str]:
    """The phases that heartbeats told."""
    return [job["phase"] for body in server.bodies("heartbeat") for job in body["jobs"]]


def test_a_payload_does_not_begin_before_the_server_lets_it(node: Node, server: PilotServer) -> None:
    server.beat_verdict = "not yet, a word of a newer server"
    server.add_job(command="date > begun.txt", gate="run", outputs=[node.output("begun.txt")])
    pilot = node.start("--max-jobs", "1")
    server.wait_until(lambda: phases(server).count("running") >= 2)
    assert not list(node.work.rglob("begun.txt")), "it waits at the gate"
    server.lose_answers["heartbeat"] = 1
    server.beat_verdict = "ok"
    assert pilot.wait(30) == 0
    assert (node.storage / "begun.txt").is_file()
    assert server.reports[1]["outcome"]["code"] == 0


def test_a_payload_never_runs_when_another_copy_has_won(node: Node, server: PilotServer) -> None:
    server.beat_verdict = "kill"
    server.add_job(command=f"touch {node.storage}/ran.txt", gate="run")
    assert node.run() == 0
    assert (server.reports[1]["outcome"]["code"], server.reports[1]["started_at"]) == (KILLED, None)
    assert not (node.storage / "ran.txt").exists()


def test_outputs_are_not_stored_before_the_server_lets_it_and_never_when_another_copy_has_won(node: Node, server: PilotServer) -> None:
    server.heartbeat_seconds = 60  # so that nobody but the gate asks
    server.add_job(command="date > out.txt", gate="store", outputs=[node.output("out.txt")])
    server.beat_verdict = "kill"
    assert node.run() == 0
    assert phases(server)[-1] == "stage_out"
    assert server.reports[1]["outcome"]["code"] == KILLED
    assert not (node.storage / "out.txt").exists()


def test_a_job_that_is_gone_at_its_gate_says_nothing_more(node: Node, server: PilotServer) -> None:
    server.beat_verdict = "gone"
    server.add_job(command="date > out.txt", gate="store", outputs=[node.output("out.txt")])
    assert node.run() == 0
    assert server.reports == {}
    assert not (node.storage / "out.txt").exists()


def test_a_server_that_never_answers_at_the_gate_ends_the_job_after_its_wall_time(node: Node, server: PilotServer) -> None:
    server.busy["heartbeat"] = 1000
    server.add_job(command="true", gate="run", resources={"wall_seconds": 1})
    assert node.run() == 0
    assert server.reports[1]["outcome"]["code"] == 1318


def test_a_job_without_copies_asks_nobody(node: Node, server: PilotServer) -> None:
    server.add_job(command="true")
    assert node.run() == 0
    assert "gate." not in node.said()
