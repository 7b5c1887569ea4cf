"""Pilots as processes: one that is gone is never taken for one that runs, and ends are no surprise."""

import os
import subprocess
from pathlib import Path

import pytest

from pandawms.domain.errors import Unavailable
from pandawms.plugins.provisioner import Launch, WorkerState
from pandawms.provision.local import Local


def _gone() -> int:
    """The id of a process that has ended."""
    child = subprocess.Popen(["true"])
    child.wait()
    return child.pid


def _launch(*command: str) -> Launch:
    return Launch(1, "local", command, "/dev/null", "/tmp", 1, 1, 1, 1)


@pytest.mark.parametrize("tick", ["-2", "-1", "", "7"])
def test_a_worker_that_ended_before_it_was_seen_has_ended_for_the_next_provisioner(tmp_path: Path, tick: str) -> None:
    native_id = f"{_gone()}:{tick}"
    system = Local(tmp_path)
    assert system.see([native_id])[native_id].state is WorkerState.ENDED
    system.stop(native_id)
    system.kill(native_id)


def test_a_pilot_that_cannot_be_started_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        Local(tmp_path).launch(_launch("/no/such/program"))


def test_a_pilot_knows_which_devices_are_ours_and_little_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    monkeypatch.setenv("WHO_STARTED_IT", "ada")
    system = Local(tmp_path)
    native_id = system.launch(_launch("/usr/bin/env"))
    log = tmp_path / "1.log"
    os.waitid(os.P_PID, int(native_id.split(":")[0]), os.WEXITED | os.WNOWAIT)
    assert system.see([native_id])[native_id].state is WorkerState.ENDED
    assert ("CUDA_VISIBLE_DEVICES=2,3" in log.read_text().splitlines(), "WHO_STARTED_IT" in log.read_text()) == (True, False)
