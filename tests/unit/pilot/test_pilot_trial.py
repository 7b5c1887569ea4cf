"""One job without any server, as `panda submit --try` runs it."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

from pandawms.pilot.trial import run_job
from pandawms.wire.pilot import JobSpec, OutputFile, Resources, Sandbox


def test_a_job_runs_without_a_server_and_leaves_its_outputs_in_a_folder(tmp_path: Path) -> None:
    program = tmp_path / "say.py"
    program.write_text("open('said.txt', 'w').write('hello')\n")
    packed = tmp_path / "sandbox.tar.gz"
    with tarfile.open(packed, "w:gz") as tar:
        tar.add(program, "say.py")
    digest = hashlib.sha256(packed.read_bytes()).hexdigest()
    spec = JobSpec(
        job_id=1,
        task_id=1,
        attempt=1,
        claim_id="trial",
        command="python say.py",
        sandbox=Sandbox(digest, packed.stat().st_size, packed.as_uri()),
        outputs=(OutputFile("out", "said", "said.txt", "file:///never/used"),),
    )
    outcome, outputs = run_job(spec, tmp_path / "run", tmp_path / "outputs", tmp_path / "cache")
    assert outcome.is_success
    assert [file.size_bytes for file in outputs] == [5]
    assert (tmp_path / "outputs" / "said.txt").read_text() == "hello"
    assert (tmp_path / "run" / "log" / "pilot.log").exists()


def test_a_job_that_takes_too_long_is_stopped_here_too(tmp_path: Path) -> None:
    spec = JobSpec(1, 1, 1, "trial", "sleep 600", resources=Resources(wall_seconds=1))
    outcome, outputs = run_job(spec, tmp_path / "run", tmp_path / "outputs", tmp_path / "cache")
    assert (outcome.code, outputs) == (1213, ())
