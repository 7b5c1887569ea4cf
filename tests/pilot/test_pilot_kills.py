"""A payload never outlives its pilot, whoever is killed, and no limit is passed unseen."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.pilot.pilot_process import Node, guard_of, is_alive, wait_until
from tests.pilot.pilot_server import PilotServer

# Leaves the ids of the program, of a child, and of a grandchild that went into a session of its own.
FAMILY = """
echo $$ > {pids}/program
sleep 600 & echo $! > {pids}/child
python -c "
import os, pathlib, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        pathlib.Path('{pids}/stranger.part').write_text(str(os.getpid()))
        os.rename('{pids}/stranger.part', '{pids}/stranger')
        time.sleep(600)
"
wait
"""


def start_family(node: Node, server: PilotServer, before: str = "") -> list[int]:
    pids = node.folder / "pids"
    pids.mkdir()
    server.add_job(command=before + FAMILY.format(pids=pids))
    node.start("--max-jobs", "1", "--grace-seconds", "0.3")
    wait_until(lambda: (pids / "stranger").exists())
    return [int((pids / name).read_text()) for name in ("program", "child", "stranger")]


def test_killing_the_pilot_kills_the_payload_and_its_strayed_grandchild(node: Node, server: PilotServer) -> None:
    family = start_family(node, server)
    guard = guard_of(node.pilots[0].pid)
    node.pilots[0].kill()
    wait_until(lambda: not any(is_alive(process) for process in [*family, guard]))


def test_killing_the_guard_kills_the_payload_and_the_job_is_reported(node: Node, server: PilotServer) -> None:
    family = start_family(node, server)
    os.kill(guard_of(node.pilots[0].pid), signal.SIGKILL)
    wait_until(lambda: not any(is_alive(process) for process in family))
    assert node.pilots[0].wait(20) == 0
    assert server.reports[1]["outcome"]["code"] == 1310


def test_the_program_dies_with_its_guard_even_while_the_pilot_cannot_act(node: Node, server: PilotServer) -> None:
    family, pilot = start_family(node, server), node.pilots[0]
    guard = guard_of(pilot.pid)
    pilot.send_signal(signal.SIGSTOP)
    os.kill(guard, signal.SIGKILL)
    wait_until(lambda: not is_alive(family[0]))
    pilot.send_signal(signal.SIGCONT)
    wait_until(lambda: not any(is_alive(process) for process in family))


def test_a_second_signal_ends_the_pilot_and_everything_at_once(node: Node, server: PilotServer) -> None:
    family = start_family(node, server, before="trap '' TERM; ")
    server.stop()
    node.pilots[0].send_signal(signal.SIGTERM)
    wait_until(lambda: "report.unanswered" in node.said())
    node.pilots[0].send_signal(signal.SIGTERM)
    assert node.pilots[0].wait(10) == 128 + signal.SIGTERM
    assert not any(is_alive(process) for process in family)


def test_a_program_that_ends_leaves_no_descendant(node: Node, server: PilotServer) -> None:
    pid_file = node.folder / "pid"
    server.add_job(command=f"setsid sleep 600 & echo $! > {pid_file}; exit 0")
    assert node.run() == 0
    assert server.reports[1]["outcome"]["code"] == 0
    assert not is_alive(int(pid_file.read_text()))


def test_a_program_that_ignores_sigterm_dies_at_its_time_limit(node: Node, server: PilotServer) -> None:
    server.add_job(command="trap '' TERM; while :; do sleep 1; done", resources={"wall_seconds": 1})
    assert node.run("--grace-seconds", "0.3") == 0
    assert server.reports[1]["outcome"]["code"] == 1213
    assert server.reports[1]["wall_seconds"] < 10


def test_a_program_that_takes_too_much_memory_is_stopped(node: Node, server: PilotServer) -> None:
    server.add_job(command="""python -c "import time; x = b'x' * (120 << 20); time.sleep(600)" """, resources={"memory_mb": 30})
    assert node.run("--watch-seconds", "0.3") == 0
    assert server.reports[1]["outcome"]["code"] == 1235
    assert "; 30 MB were asked for, and up to 60 MB are allowed" in server.reports[1]["outcome"]["message"]
    assert server.reports[1]["max_rss_mb"] > 100


def test_a_work_folder_that_grows_too_large_is_stopped(node: Node, server: PilotServer) -> None:
    server.add_job(command="head -c 20000000 /dev/zero > big; sleep 600", resources={"disk_mb": 5})
    assert node.run("--watch-seconds", "0.3") == 0
    assert server.reports[1]["outcome"]["code"] == 1104


def test_a_hundred_megabytes_of_binary_output_neither_block_nor_fill(node: Node, server: PilotServer) -> None:
    server.add_job(command="head -c 100000000 /dev/urandom; echo the end >&2; printf last")
    assert node.run("--keep-output-mb", "2") == 0
    assert server.reports[1]["outcome"]["code"] == 0
    assert 0 < len(server.logs[1]) <= 10 << 20


def test_folders_of_killed_pilots_are_swept_by_the_next(node: Node, server: PilotServer) -> None:
    start_family(node, server)
    node.pilots[0].kill()
    node.pilots[0].wait()
    left = [folder for folder in node.work.iterdir() if folder.is_dir()]
    assert len(left) == 1
    assert node.start("--idle-seconds", "0").wait(20) == 0
    assert not any(Path(folder).exists() for folder in left)
