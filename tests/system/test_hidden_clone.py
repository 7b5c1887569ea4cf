"""No path of the submitting machine reaches a job: the demo's tasks run by pilots that cannot see the clone."""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pandawms.store.embedded import EmbeddedServer, Options
from tests.system.running import Running

CLONE = Path(__file__).resolve().parents[2]
ZPEAK = CLONE / "examples" / "zpeak"


def wrapper() -> list[str]:
    """A mount namespace in which an empty folder covers the clone."""
    user = [] if os.getuid() == 0 else ["--map-root-user"]
    return ["unshare", *user, "--mount", "/bin/sh", "-c", f'mount -t tmpfs hidden "{CLONE}" && exec "$@"', "pilot"]


@pytest.fixture
def blind() -> Iterator[Running]:
    """A system whose pilots run in such a namespace."""
    with TemporaryDirectory(prefix="panda-hidden-", ignore_cleanup_errors=True) as folder:
        system = Running(Path(folder) / "data", Path(folder))
        system.data.mkdir()
        words = ", ".join(f"'{word}'" for word in wrapper())
        (system.data / "panda.toml").write_text(f"[local]\nwrapper = [{words}]\n")
        system.start()
        try:
            yield system
        finally:
            system.stop()
            EmbeddedServer(Options(folder=system.data / "postgres")).remove()


def test_the_demos_tasks_run_by_pilots_that_cannot_see_the_clone(blind: Running) -> None:
    blind.panda("submit", str(ZPEAK / "evgen.yaml"), "--set", "inputs.events.count=400", "--set", "split.events_per_job=100")
    blind.panda("submit", str(ZPEAK / "analysis.yaml"))
    task = blind.wait("z-analysis", 280)
    assert task.status == "done", blind.panda("why", "z-evgen") + blind.panda("why", "z-analysis")
    assert blind.task("z-evgen").events_finished == 400
    blind.panda("get", "z-analysis", "--to", str(blind.folder / "results"))
    (picture,) = (blind.folder / "results").rglob("*.png")
    assert picture.read_bytes().startswith(b"\x89PNG")
