"""A job's whole life through a real pilot process, against a real HTTP server."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import signal
import tarfile
import zlib
from pathlib import Path

from pandawms.pilot.build import build
from tests.pilot.pilot_process import Node
from tests.pilot.pilot_server import PilotServer


def archive_of(files: dict[str, bytes]) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return raw.getvalue()


def log_files(server: PilotServer, job_id: int = 1) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(server.logs[job_id]))) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]  # all are files


def test_a_job_gets_its_program_and_inputs_and_leaves_outputs_report_and_log(node: Node, server: PilotServer) -> None:
    program = archive_of({"tool/double.py": b"import sys\nprint(open(sys.argv[1]).read() * 2, end='')\n"})
    digest = hashlib.sha256(program).hexdigest()
    server.sandboxes[digest] = program
    original = node.folder / "original.txt"
    original.write_text("panda ")
    server.add_job(
        command="python tool/double.py in/a.txt > twice.txt; cat names; echo seen; echo worry >&2",
        sandbox={"sha256": digest, "size_bytes": len(program), "url": f"/api/v2/sandboxes/{digest}"},
        inputs=[
            {
                "stream": "in",
                "name": "a",
                "local_name": "in/a.txt",
                "size_bytes": 6,
                "adler32": f"{zlib.adler32(b'panda '):08x}",
                "sources": ["file:///nowhere/at/all", original.as_uri()],
            }
        ],
        outputs=[node.output("twice.txt"), node.output("extra.txt", optional=True)],
        text_files={"names": "in/a.txt\n"},
    )
    assert node.run("--worker-id", "7") == 0
    assert (node.storage / "twice.txt").read_text() == "panda panda "
    report = server.reports[1]
    assert report["outcome"]["domain"] == "none"
    [output] = report["outputs"]
    assert (output["size_bytes"], output["adler32"]) == (12, f"{zlib.adler32(b'panda panda '):08x}")
    assert server.bodies("report")[0]["worker_id"] == 7
    files = log_files(server)
    assert files["payload.stdout"] == b"in/a.txt\nseen\n"
    assert files["payload.stderr"] == b"worry\n"
    assert b"job.claimed" in files["pilot.log"]
    assert list(node.work.iterdir()) == []


def test_the_payload_sees_nothing_of_the_pilots_environment(node: Node, server: PilotServer) -> None:
    server.add_job(command="env", environment={"variables": {"COLOUR": "blue"}})
    assert node.run() == 0
    names = {line.partition("=")[0] for line in log_files(server)["payload.stdout"].decode().splitlines()}
    assert {"COLOUR", "HOME", "TMPDIR", "PATH", "PANDA_JOB_ID", "PANDA_NODES", "PANDA_GPUS"} <= names
    assert not {name for name in names if "TOKEN" in name or name.startswith(("PYTHON", "LC_"))} - {"LC_CTYPE"}


def test_a_job_knows_its_devices_and_one_over_several_nodes_its_allocation(node: Node, server: PilotServer) -> None:
    for job_id, nodes in ((1, 1), (2, 4)):
        server.add_job(job_id, command="env", resources={"nodes": nodes, "gpus": 1})
    own = ["SLURM_JOB_ID=7", "SLURM_JWT=secret", "CUDA_VISIBLE_DEVICES=3", "HTTP_PROXY=http://user:secret@proxy"]
    assert node.start("--max-jobs", "2", wrapper=["env", *own]).wait(30) == 0
    seen = [[line for line in log_files(server, job_id)["payload.stdout"].decode().splitlines() if line in own] for job_id in (1, 2)]
    assert seen == [["CUDA_VISIBLE_DEVICES=3"], seen[1]]
    assert sorted(seen[1]) == ["CUDA_VISIBLE_DEVICES=3", "SLURM_JOB_ID=7"]


def test_one_pilot_runs_job_after_job_on_one_connection_and_leaves_when_idle(node: Node, server: PilotServer) -> None:
    for job_id in range(1, 11):
        server.add_job(job_id, command="true")
    assert node.start("--idle-seconds", "0.5").wait(30) == 0
    assert sorted(server.reports) == list(range(1, 11))
    assert len({body["claim_id"] for body in server.bodies("claim")}) == server.count("claim")


def test_a_failing_program_is_reported_with_its_last_words(node: Node, server: PilotServer) -> None:
    server.add_job(command="echo it broke >&2; exit 3", outputs=[node.output("never.txt")])
    assert node.run() == 0
    outcome = server.reports[1]["outcome"]
    assert (outcome["domain"], outcome["code"], outcome["exit_code"]) == ("payload", 1305, 3)
    assert outcome["message"] == "it broke"


def test_a_missing_output_fails_the_job_and_removes_the_others(node: Node, server: PilotServer) -> None:
    server.add_job(command="echo x > a.txt", outputs=[node.output("a.txt"), node.output("b.txt")])
    assert node.run() == 0
    assert server.reports[1]["outcome"]["code"] == 1165
    assert server.reports[1]["outputs"] == []
    assert not (node.storage / "a.txt").exists()


def test_a_damaged_input_is_never_given_to_the_program(node: Node, server: PilotServer) -> None:
    original = node.folder / "original.txt"
    original.write_text("panda")
    file = {"stream": "in", "name": "a", "local_name": "a", "adler32": "00000001", "sources": [original.as_uri()]}
    server.add_job(command="touch ran; cat a", inputs=[file])
    assert node.run() == 0
    assert server.reports[1]["outcome"]["code"] == 1171
    assert "payload.stdout" not in log_files(server)


def test_a_full_storage_is_told_by_the_name_of_the_destination(node: Node, server: PilotServer) -> None:
    """The unfinished copy is a link to /dev/full, which gives the kernel's own ENOSPC everywhere, without being root."""
    node.storage.mkdir()
    server.name_claim = "c0ffee"
    server.add_job(command=f"echo x > a.txt; ln -s /dev/full {node.storage}/a.txt.part-c0ffee", outputs=[node.output("a.txt")])
    assert node.run() == 0
    outcome = server.reports[1]["outcome"]
    assert (outcome["domain"], outcome["code"]) == ("data", 1333)
    assert (node.storage / "a.txt").as_uri() in outcome["message"]
    assert list(node.storage.iterdir()) == []


def test_a_signal_stops_the_payload_and_is_reported_before_the_pilot_leaves(node: Node, server: PilotServer) -> None:
    server.add_job(command="sleep 600")
    pilot = node.start()
    server.wait_until(lambda: any(b["jobs"][0]["phase"] == "running" for b in server.bodies("heartbeat")))
    pilot.send_signal(signal.SIGTERM)
    assert pilot.wait(20) == 0
    outcome = server.reports[1]["outcome"]
    assert (outcome["code"], outcome["retryable"]) == (1201, True)


def test_a_signal_while_waiting_for_work_ends_the_pilot_at_once(node: Node, server: PilotServer) -> None:
    pilot = node.start()
    server.wait_until(lambda: server.count("claim"))
    pilot.send_signal(signal.SIGTERM)
    assert pilot.wait(5) == 0


def test_a_denied_pilot_leaves_with_its_own_status(node: Node, server: PilotServer) -> None:
    assert node.start("--token-file", "/dev/null").wait(20) == 3
    assert "401" in json.loads(node.said().splitlines()[-1])["reason"]
    assert server.count("claim") == 0


def test_the_program_file_is_the_same_each_time_it_is_built(tmp_path: Path) -> None:
    assert build(tmp_path / "one.pyz").read_bytes() == build(tmp_path / "other.pyz").read_bytes()
