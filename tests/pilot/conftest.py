from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pandawms.pilot.build import build
from tests.pilot.pilot_process import Node
from tests.pilot.pilot_server import PilotServer


@pytest.fixture(scope="session")
def pilot_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("pilot") / "pilot.pyz")


@pytest.fixture(scope="session")
def pilot_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def server() -> Iterator[PilotServer]:
    server = PilotServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def node(pilot_file: Path, pilot_cache: Path, tmp_path: Path, server: PilotServer) -> Iterator[Node]:
    node = Node(pilot_file, tmp_path, pilot_cache, server, [])
    yield node
    node.close()
