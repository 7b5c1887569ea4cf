"""Whole systems for tests."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pandawms.store.embedded import EmbeddedServer, Options
from tests.system.running import Running

SETTINGS = """
[engine]
lease_seconds = 20
heartbeat_seconds = 2
poll_seconds = 0.3

[local]
idle_seconds = 5
"""


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """A system that is up, with two slots; for all tests of a module."""
    with TemporaryDirectory(prefix="panda-system-", ignore_cleanup_errors=True) as folder:
        system = Running(Path(folder) / "data", Path(folder))
        system.data.mkdir()
        (system.data / "panda.toml").write_text(SETTINGS)
        system.start()
        try:
            yield system
        finally:
            system.stop()
            EmbeddedServer(Options(folder=system.data / "postgres")).remove()
