"""A full work disk: told as such, with a log all the same; and a pilot that leaves because of it says why.

The disk is a small tmpfs that only the pilot sees: in a mount namespace of its own, which needs no rights.
"""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from functools import lru_cache
from typing import Any

import pytest

from tests.pilot.pilot_process import Node
from tests.pilot.pilot_server import PilotServer

_NAMESPACE = ("/usr/bin/unshare", "--user", "--map-root-user", "--mount")


@lru_cache(maxsize=1)
def has_namespaces() -> bool:
    """Whether this machine gives namespaces to everybody."""
    return subprocess.run([*_NAMESPACE, "/bin/true"], capture_output=True, check=False).returncode == 0


def run_on_small_disk(node: Node, *options: str, mount: str = "size=8m") -> int:
    if not has_namespaces():
        pytest.skip("no user namespaces on this machine")
    node.work.mkdir()
    script = f'/bin/mount -t tmpfs -o {mount} tmpfs {node.work} && exec "$@"'
    wrapper = (*_NAMESPACE, "/bin/sh", "-c", script, "sh")
    return node.start("--min-free-disk-mb", "2", "--max-jobs", "1", *options, wrapper=wrapper).wait(30)


def log_files(server: PilotServer) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(server.logs[1])) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]  # all are files


def last_event(node: Node) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(node.said().splitlines()[-1])
    return event


def test_a_program_that_fills_the_disk_is_told_as_such_and_its_log_arrives(node: Node, server: PilotServer) -> None:
    server.add_job(command="head -c 20000000 /dev/zero > big; result=$?; echo gave up >&2; exit $result")
    assert run_on_small_disk(node) == 0
    outcome = server.reports[1]["outcome"]
    assert (outcome["domain"], outcome["code"], outcome["exit_code"]) == ("pilot", 1098, 1)
    assert f"0 MB free in {node.work}/" in outcome["message"]
    assert "gave up" in outcome["message"]
    files = log_files(server)
    assert b"No space left" in files["payload.stderr"]
    assert files["payload.stderr"].endswith(b"gave up\n")
    assert b"job.ended" in files["pilot.log"]


def test_a_full_disk_that_is_free_again_when_the_program_is_dead_is_told_by_its_words(node: Node, server: PilotServer) -> None:
    server.add_job(command="""python -c "import tempfile; f = tempfile.TemporaryFile(); f.write(b'x' * 20000000)" """)
    assert run_on_small_disk(node) == 0
    outcome = server.reports[1]["outcome"]
    assert outcome["code"] == 1098
    assert f"MB free in {node.work}/" in outcome["message"]


def test_outputs_of_a_program_that_overlooked_a_full_disk_are_not_trusted(node: Node, server: PilotServer) -> None:
    server.add_job(command="head -c 20000000 /dev/zero > a.txt 2> /dev/null; exit 0", outputs=[node.output("a.txt")])
    assert run_on_small_disk(node) == 0
    assert server.reports[1]["outcome"]["code"] == 1098
    assert not node.storage.exists()


def test_a_claimed_job_that_gets_not_even_a_log_folder_is_reported_with_a_log(node: Node, server: PilotServer) -> None:
    server.add_job(command="true")
    assert run_on_small_disk(node, mount="size=8m,nr_inodes=4") == 0
    assert server.reports[1]["outcome"]["code"] == 1098
    assert b"job.ended" in log_files(server)["pilot.log"]


def test_a_pilot_without_enough_free_disk_takes_no_work_and_says_why_as_its_last_word(node: Node, server: PilotServer) -> None:
    server.add_job(command="true")
    assert run_on_small_disk(node, "--min-free-disk-mb", "1000") == 4
    assert server.count("claim") == 0
    event = last_event(node)
    assert (event["event"], event["reason"]) == ("pilot.unfit", f"8 MB free in {node.work}, 1000 MB needed")


def test_a_pilot_that_cannot_even_make_its_folder_says_why_as_its_last_word(node: Node, server: PilotServer) -> None:
    assert run_on_small_disk(node, mount="size=8m,nr_inodes=1") == 4
    assert last_event(node)["event"] == "pilot.unfit"
    assert str(node.work) in last_event(node)["reason"]


def test_a_small_slot_needs_no_more_free_disk_than_it_offers(node: Node, server: PilotServer) -> None:
    server.add_job(command="true")
    assert run_on_small_disk(node, "--min-free-disk-mb", "1000", "--disk-mb", "5") == 0
    assert server.reports[1]["outcome"]["code"] == 0
