"""Pilots as processes: one that is gone is never taken for one that runs, and ends are no surprise."""

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
