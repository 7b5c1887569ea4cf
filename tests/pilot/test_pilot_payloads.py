"""Jobs of several payloads, run by a real pilot."""

from __future__ import annotations

import os
import signal
from typing import Any

from tests.pilot.pilot_process import Node, wait_until
from tests.pilot.pilot_server import PilotServer
from tests.pilot.test_pilot_life import log_files


def payload(node: Node, n: int, command: str, **more: Any) -> dict[str, Any]:
    """A payload that writes out.txt."""
    output = node.output(f"out.{n}.txt", local_name="out.txt")
    return {"n": n, "command": command, "outputs": [output], **more}


def stored(node: Node) -> list[str]:
    """What is in storage."""
    return sorted(path.name for path in node.storage.glob("*")) if node.storage.exists() else []


def told(server: PilotServer) -> dict[int, int]:
    """The codes of the payloads that the report tells of."""
    return {each["n"]: each["outcome"]["code"] for each in server.reports[1]["payloads"]}


def test_of_three_payloads_one_fails_and_one_takes_too_long_and_the_third_is_kept(node: Node, server: PilotServer) -> None:
    (node.folder / "mine.txt").write_text("abc")
    (node.folder / "shared.txt").write_text("for all")
    mine = {"stream": "in", "name": "mine.txt", "local_name": "mine.txt", "sources": [(node.folder / "mine.txt").as_uri()]}
    shared = {"stream": "calib", "name": "shared.txt", "local_name": "shared.txt", "sources": [(node.folder / "shared.txt").as_uri()]}
    server.report_payloads = [2]
    server.add_job(
        command="exit 78",
        each={"wall_seconds": 1},
        inputs=[shared],
        payloads=[
            payload(node, 0, "echo 1 > shared.txt; touch left; echo no luck >&2; exit 3"),
            payload(node, 1, "echo half > out.txt; exec sleep 600"),
            payload(node, 2, "test ! -e left && cat shared.txt mine.txt > out.txt; echo fine", inputs=[mine]),
        ],
    )
    assert node.run() == 0
    report = server.reports[1]
    assert told(server) == {0: 1305, 1: 1213, 2: 0}
    assert (report["outcome"]["code"], report["outcome"]["message"]) == (2014, "2 of 3 payloads failed")
    assert report["payloads"][0]["outcome"]["message"] == "no luck"
    assert 1 <= report["payloads"][1]["wall_seconds"] < 3
    assert [file["name"] for file in report["payloads"][2]["outputs"]] == ["out.2.txt"]
    assert stored(node) == ["out.2.txt"]
    assert (node.storage / "out.2.txt").read_text() == "for allabc"
    logs = log_files(server)
    assert (logs["payload.0.stderr"], logs["payload.2.stdout"]) == (b"no luck\n", b"fine\n")


def test_payloads_that_run_at_once_share_the_job_and_wait_for_each_other(node: Node, server: PilotServer) -> None:
    meet = "touch ../../../here.{mine}; until test -e ../../../here.{other}; do sleep 0.05; done; echo $PANDA_CORES > out.txt"
    server.report_payloads = [0, 1]
    server.add_job(
        command="exit 78",
        each={"at_once": 2},
        resources={"cores": 4},
        payloads=[payload(node, 0, meet.format(mine=0, other=1)), payload(node, 1, meet.format(mine=1, other=0))],
    )
    assert node.run() == 0
    assert told(server) == {0: 0, 1: 0}
    assert [(node.storage / name).read_text() for name in stored(node)] == ["2\n", "2\n"]


def test_the_end_of_the_jobs_time_fails_only_the_payload_that_took_it(node: Node, server: PilotServer) -> None:
    server.report_payloads = [0]
    server.add_job(
        command="exit 78",
        resources={"wall_seconds": 3},
        payloads=[payload(node, 0, "echo done > out.txt"), payload(node, 1, "exec sleep 600"), payload(node, 2, "echo never > out.txt")],
    )
    assert node.run() == 0
    assert told(server) == {0: 0, 1: 1213}
    assert server.reports[1]["outcome"]["code"] == 1213
    assert stored(node) == ["out.0.txt"]


def test_a_stopped_pilot_tells_what_was_done_and_deletes_what_nobody_took(node: Node, server: PilotServer) -> None:
    server.report_payloads = [0]
    server.add_job(
        command="exit 78",
        payloads=[payload(node, 0, "echo a > out.txt"), payload(node, 1, "echo b > out.txt"), payload(node, 2, "exec sleep 600")],
    )
    pilot = node.start("--max-jobs", "1")
    server.wait_until(lambda: {each["n"] for body in server.bodies("heartbeat") for job in body["jobs"] for each in job["payloads"]} == {0, 1})
    wait_until(lambda: stored(node) == ["out.0.txt", "out.1.txt"])
    os.kill(pilot.pid, signal.SIGTERM)
    pilot.wait(20)
    assert told(server) == {0: 0, 1: 0}, "the one that was stopped was not through"
    assert server.reports[1]["outcome"]["code"] == 1201
    assert stored(node) == ["out.0.txt"]


def test_no_payload_begins_after_so_many_failures(node: Node, server: PilotServer) -> None:
    server.add_job(command="exit 78", each={"stop_after_failures": 2}, payloads=[payload(node, n, "exit 1") for n in range(4)])
    assert node.run() == 0
    assert told(server) == {0: 1305, 1: 1305}
