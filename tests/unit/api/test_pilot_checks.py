"""What of a pilot's call fits into the database."""

import json
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from pandawms.api.pilot_checks import checked_beats, checked_claim, checked_reports, decode_call
from pandawms.domain.errors import Invalid
from pandawms.domain.outcome import SUCCESS, Outcome
from pandawms.wire.pilot import ClaimRequest, HeartbeatRequest, JobBeat, JobReport, PayloadReport, ReportRequest, WrittenFile

CLAIM = ClaimRequest(1, "t", uuid4().hex, "q", "n")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"claim_id": "x"}, "claim_id"),
        ({"n_jobs": 0}, "n_jobs"),
        ({"n_jobs": 10**6}, "n_jobs"),
        ({"cores": 0}, "cores"),
        ({"memory_mb": 2**31}, "memory_mb"),
        ({"worker_id": 2**63}, "worker_id"),
        ({"wait_seconds": -1.0}, "wait_seconds"),
        ({"node": "a\x00b"}, "node"),
    ],
)
def test_a_claim_that_makes_no_sense_is_refused_by_field(change: dict[str, Any], field: str) -> None:
    assert checked_claim(CLAIM) is CLAIM
    with pytest.raises(Invalid) as caught:
        checked_claim(replace(CLAIM, **change))
    assert caught.value.field == field
    assert caught.value.allowed


def report(**changes: Any) -> ReportRequest:
    """A report of one job."""
    file = WrittenFile("out", "a", 1, "0000000f", str(uuid4()))
    given: dict[str, Any] = {"outcome": SUCCESS, "outputs": (file,)} | changes
    return ReportRequest(1, "t", None, (JobReport(1, uuid4().hex, 1, **given),))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"outputs": (WrittenFile("out", "a", 1, "xyz", str(uuid4())),)}, "jobs[0].outputs[0].adler32"),
        ({"outputs": (WrittenFile("out", "a", 1, "0000000f", "no guid"),)}, "jobs[0].outputs[0].guid"),
        ({"outputs": (WrittenFile("out", "a", -1, "0000000f", str(uuid4())),)}, "jobs[0].outputs[0].size_bytes"),
        (
            {"payloads": (PayloadReport(0, SUCCESS), PayloadReport(1, SUCCESS, outputs=(WrittenFile("out", "a", -1, "0000000f", str(uuid4())),)))},
            "jobs[0].payloads[1].outputs[0].size_bytes",
        ),
        ({"payloads": (PayloadReport(0, SUCCESS, outputs=(WrittenFile("out", "a", 1, "xyz", str(uuid4())),)),)}, "jobs[0].payloads[0].outputs[0].adler32"),
        ({"wall_seconds": 1e30}, "jobs[0].wall_seconds"),
        ({"max_rss_mb": 1e12}, "jobs[0].max_rss_mb"),
        ({"outcome": Outcome("pilot", 2**40)}, "jobs[0].outcome.code"),
    ],
)
def test_a_report_that_cannot_be_kept_is_refused_by_field(change: dict[str, Any], field: str) -> None:
    checked_reports(report())
    with pytest.raises(Invalid) as caught:
        checked_reports(report(**change))
    assert caught.value.field == field


def test_nul_in_a_message_is_no_reason_to_lose_a_report() -> None:
    checked = checked_reports(report(outcome=Outcome("payload", 1, message="a\x00b")))
    assert checked.jobs[0].outcome.message == "a\ufffdb"


def test_a_heartbeat_names_jobs_that_can_be() -> None:
    with pytest.raises(Invalid) as caught:
        checked_beats(HeartbeatRequest(1, "t", None, (JobBeat(0, uuid4().hex, 1, "running"),)))
    assert caught.value.field == "jobs[0].job_id"


def test_a_body_is_json_of_the_present_protocol() -> None:
    for body in (b"", b"[]", b"{", b'"x"', b"\xff"):
        with pytest.raises(Invalid):
            decode_call(ClaimRequest, body)
    with pytest.raises(Invalid) as caught:
        decode_call(ClaimRequest, json.dumps({"protocol": 2}).encode())
    assert (caught.value.field, caught.value.allowed) == ("protocol", "1")
