"""No path of the submitting machine reaches a job: the demo's tasks run by pilots that cannot see the clone."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.running import Running, started

CLONE = Path(__file__).resolve().parents[2]
ZPEAK = CLONE / "examples" / "zpeak"


def wrapper() -> list[str]:
    """A mount namespace in which an empty folder covers the clone."""
    user = [] if os.getuid() == 0 else ["--map-root-user"]
    return ["unshare", *user, "--mount", "/bin/sh", "-c", f'mount -t tmpfs hidden "{CLONE}" && exec "$@"', "pilot"]


@pytest.fixture
def blind() -> Iterator[Running]:
    """A system whose pilots run in such a namespace."""
    words = ", ".join(f"'{word}'" for word in wrapper())
    with started(f"[local]\nwrapper = [{words}]\n") as system:
        yield system


def test_the_demos_tasks_run_by_pilots_that_cannot_see_the_clone(blind: Running) -> None:
    blind.share_downloads()
    blind.panda("submit", str(ZPEAK / "evgen.yaml"), "--set", "inputs.events.count=400", "--set", "split.events_per_job=100")
    blind.panda("submit", str(ZPEAK / "analysis.yaml"))
    task = blind.wait("z-analysis", 280)
    assert task.status == "done", blind.panda("why", "z-evgen") + blind.panda("why", "z-analysis")
    assert blind.task("z-evgen").events_finished == 400
    blind.panda("get", "z-analysis", "--to", str(blind.folder / "results"))
    (picture,) = (blind.folder / "results").rglob("*.png")
    assert picture.read_bytes().startswith(b"\x89PNG")
