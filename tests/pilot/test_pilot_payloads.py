"""Jobs of several payloads, run by a real pilot."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.pilot.pilot_process import Node, is_alive, wait_until
from tests.pilot.pilot_server import PilotServer
from tests.pilot.test_pilot_kills import FAMILY
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


MEET = "touch ../../../here.{mine}; until test -e ../../../here.{other}; do sleep 0.05; done; "
"""Two payloads of a job wait for each other: they end only when they run at the same time."""


def test_payloads_that_run_at_once_share_the_job_and_wait_for_each_other(node: Node, server: PilotServer) -> None:
    server.report_payloads = [0, 1]
    server.add_job(
        command="exit 78",
        each={"at_once": 2},
        resources={"cores": 4},
        payloads=[payload(node, n, MEET.format(mine=n, other=1 - n) + "echo $PANDA_CORES > out.txt") for n in (0, 1)],
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


def test_payloads_that_run_at_once_have_devices_of_their_own(node: Node, server: PilotServer) -> None:
    say = "echo $PANDA_CORES $PANDA_GPUS $CUDA_VISIBLE_DEVICES > out.txt"
    server.report_payloads = [0, 1]
    server.add_job(
        command="exit 78",
        each={"at_once": 2},
        resources={"cores": 4, "gpus": 2},
        payloads=[payload(node, n, MEET.format(mine=n, other=1 - n) + say) for n in (0, 1)],
    )
    assert node.start("--max-jobs", "1", wrapper=["env", "CUDA_VISIBLE_DEVICES=6,7"]).wait(30) == 0
    assert sorted((node.storage / name).read_text() for name in stored(node)) == ["2 1 6\n", "2 1 7\n"]


def test_a_job_of_fewer_payloads_than_may_run_at_once_gives_each_more(node: Node, server: PilotServer) -> None:
    server.report_payloads = [3]
    server.add_job(
        command="exit 78",
        each={"at_once": 4},
        resources={"cores": 4, "gpus": 4, "memory_mb": 100},
        payloads=[payload(node, 3, """python -c "import time; x = b'x' * (110 << 20); time.sleep(1)"; echo $PANDA_CORES $PANDA_GPUS > out.txt""")],
    )
    assert node.run("--watch-seconds", "0.2") == 0
    assert told(server) == {3: 0}, "it may use the memory of the whole job"
    assert (node.storage / "out.3.txt").read_text() == "4 4\n"


def test_more_payloads_at_once_than_the_soft_limit_of_files_allows(node: Node, server: PilotServer) -> None:
    names = " ".join(f"../../../here.{n}" for n in range(12))
    meet = "touch ../../../here.{n}; for name in {names}; do until test -e $name; do sleep 0.05; done; done"
    server.add_job(command="exit 78", each={"at_once": 12}, payloads=[{"n": n, "command": meet.format(n=n, names=names)} for n in range(12)])
    assert node.start("--max-jobs", "1", wrapper=["sh", "-c", 'ulimit -Sn 24; exec "$@"', "sh"]).wait(60) == 0
    assert told(server) == dict.fromkeys(range(12), 0)


def test_a_killed_guard_takes_its_own_payload_with_it_and_no_other_process(node: Node, server: PilotServer) -> None:
    """A stranger, the pilot's own child from before its start, outlives it; the descendants of the payload do not, in whatever session they are."""
    pids, go = node.folder / "pids", node.folder / "go"
    pids.mkdir()
    server.report_payloads = [1]
    server.add_job(
        command="exit 78",
        each={"at_once": 2},
        payloads=[payload(node, 0, FAMILY.format(pids=pids)), payload(node, 1, f"until [ -e {go} ]; do sleep 0.05; done; echo fine > out.txt")],
    )
    pilot = node.start("--max-jobs", "1", wrapper=["sh", "-c", f'sleep 600 & echo $! > {pids}/not-ours; exec "$@"', "sh"])
    wait_until(lambda: (pids / "stranger").exists())
    family = [int((pids / name).read_text()) for name in ("program", "child", "stranger")]
    not_ours = int((pids / "not-ours").read_text())
    try:
        os.kill(parent_of(family[0]), signal.SIGKILL)
        wait_until(lambda: not any(is_alive(process) for process in family))
        go.touch()
        assert pilot.wait(20) == 0
        assert told(server) == {0: 1310, 1: 0}
        assert is_alive(not_ours)
    finally:
        for process in filter(is_alive, (not_ours, family[2])):
            os.kill(process, signal.SIGKILL)


def parent_of(process: int) -> int:
    """By proc(5)."""
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.parametrize(("content", "code"), [(None, 1335), (b"something else", 2004)], ids=["gone", "damaged"])
def test_a_program_that_cannot_be_had_fails_the_job_once_and_no_payload(content: bytes | None, code: int, node: Node, server: PilotServer) -> None:
    digest = f"{code:064x}"
    if content is not None:
        server.sandboxes[digest] = content
    sandbox = {"sha256": digest, "size_bytes": -1, "url": f"/api/v2/sandboxes/{digest}"}
    server.add_job(command="exit 78", sandbox=sandbox, payloads=[payload(node, n, "echo a > out.txt") for n in range(3)])
    assert node.run() == 0
    assert (server.reports[1]["outcome"]["code"], told(server), server.downloads) == (code, {}, 1)


def test_a_storage_that_takes_nothing_ends_the_job_and_no_payload_is_blamed(node: Node, server: PilotServer) -> None:
    (node.folder / "file").touch()
    nowhere = {"stream": "out", "name": "out.1.txt", "local_name": "out.txt", "destination": (node.folder / "file" / "out.1.txt").as_uri()}
    server.report_payloads = [0]
    server.add_job(
        command="exit 78",
        payloads=[payload(node, 0, "echo a > out.txt"), {"n": 1, "command": "echo b > out.txt", "outputs": [nowhere]}, payload(node, 2, "echo c > out.txt")],
    )
    assert node.run() == 0
    assert (server.reports[1]["outcome"]["code"], told(server), stored(node)) == (1137, {0: 0}, ["out.0.txt"])


def test_what_does_not_go_into_a_report_is_told_before_it_and_kept(node: Node, server: PilotServer) -> None:
    server.heartbeat_seconds = 60
    server.takes_payloads = True
    server.most_bytes["report"] = 2_000
    commands = ["printf '%0500d' 1 >&2; exit 1", *["echo a > out.txt"] * 11]
    server.add_job(command="exit 78", payloads=[payload(node, n, command) for n, command in enumerate(commands)])
    assert node.run() == 0
    assert told(server) == {0: 1305}
    assert len(server.reports[1]["payloads"][0]["outcome"]["message"]) == 100
    assert {each["n"] for body in server.bodies("heartbeat") for job in body["jobs"] for each in job["payloads"]} == set(range(1, 12))
    assert len(stored(node)) == 11, "the answer to the report names none of them, those of heartbeats did"
    assert "report.shortened" in node.said()
