"""Whole systems for tests."""

from collections.abc import Iterator

import pytest

from tests.system.running import Running, started

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
    with started(SETTINGS) as system:
        yield system
