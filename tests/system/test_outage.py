"""The whole system is down for ten lease periods while payloads run: nothing is killed, and all of it reports afterwards."""

import time
from collections.abc import Iterator

import pytest

from tests.system.running import Running, check_complete, payloads, started, until

LEASE_SECONDS = 2
SETTINGS = f"""
[engine]
lease_seconds = {LEASE_SECONDS}
heartbeat_seconds = 0.5
hearing_gap_seconds = 1.5
poll_seconds = 0.3
"""


@pytest.fixture
def brief() -> Iterator[Running]:
    """A system with very short leases."""
    with started(SETTINGS) as system:
        yield system


def test_payloads_outlive_an_outage_of_ten_leases_and_report_after_it(brief: Running) -> None:
    command = f"sleep {LEASE_SECONDS * 8} # payload-of-long\nseq %FIRST_EVENT $((%FIRST_EVENT + %EVENTS - 1)) > %OUT"
    name = brief.submit("long", program={"command": command}, inputs={"events": {"count": 10}}, split={"events_per_job": 5})
    until(lambda: len(payloads(name)) == 2, 30, "both payloads run")
    running = set(payloads(name))
    for part in ("up", "provision", "engine", "server", "postgres"):
        brief.kill(part)
    assert brief.up is not None
    brief.up.wait()
    back = time.monotonic() + LEASE_SECONDS * 10
    until(lambda: bool(not set(payloads(name)) - running) and time.monotonic() > back, LEASE_SECONDS * 10 + 5, "ten leases are over")
    brief.start()
    task = check_complete(brief, name, jobs=2)
    assert task.retries == 0, "no job was lost to the outage"
