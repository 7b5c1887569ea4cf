"""A pilot that holds many files, as one with many payloads at once does, and a report that holds too much."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from pandawms.domain.outcome import SUCCESS, Outcome
from pandawms.pilot.payload import Command, Guarded, Guards
from pandawms.pilot.server import Refused, Server
from pandawms.pilot.stop import Stop
from pandawms.wire.pilot import PROTOCOL, JobReport, ReportRequest


@pytest.fixture
def above_1023() -> Iterator[None]:
    """All descriptors up to 1,023 are taken."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    taken = [os.open(os.devnull, os.O_RDONLY)]
    while taken[-1] < 1023:
        taken.append(os.dup(taken[0]))
    yield
    for descriptor in taken:
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("above_1023")
def test_a_command_is_guarded_and_stopped_above_descriptor_1023(tmp_path: Path) -> None:
    stop, guarded = Stop(), Guarded(Guards(adopts_orphans=False))
    assert stop.fileno() > 1023
    try:
        assert stop.wait(0) is False
        command = Command(("/bin/sh", "-c", "exit 3"), tmp_path, {}, tmp_path / "out", tmp_path / "err")
        assert guarded.run(command, stop).exit_code == 3
        stop.request(Outcome("pilot", 2010))
        assert stop.wait(600) is True
    finally:
        guarded.close()
        stop.close()


def test_a_report_that_no_server_reads_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    server = Server("http://127.0.0.1:9", tmp_path / "no token")
    report = JobReport(1, "0" * 32, 1, Outcome(SUCCESS.domain, SUCCESS.code, message="x" * (16 << 20)))
    with pytest.raises(Refused, match="413: report has 16777"):
        server.report(ReportRequest(PROTOCOL, "1", None, (report,)))
