"""The pilot's wire: what is encoded is decoded again, what is wrong is named, what is new is ignored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandawms.domain.codes import Code
from pandawms.domain.errors import Invalid
from pandawms.domain.outcome import outcome
from pandawms.wire.pilot import (
    ClaimAnswer,
    ClaimRequest,
    Environment,
    HeartbeatRequest,
    JobReport,
    JobSpec,
    ReportRequest,
    WrittenFile,
    decode,
    encode,
)

_CLAIM: dict[str, Any] = {"protocol": 1, "pilot_version": "1", "claim_id": "c", "queue": "q", "node": "n"}


def travelled(value: Any) -> Any:
    """What the other side decodes."""
    return decode(type(value), json.loads(json.dumps(encode(value))))


_ids = st.integers(-(2**63) + 1, 2**63 - 1)
_seconds = st.floats(-1e200, 1e200)
_jobs = st.builds(JobSpec, job_id=_ids, task_id=_ids, attempt=_ids, environment=st.builds(Environment, python=st.text()))


@given(
    st.builds(
        ClaimAnswer,
        lease_seconds=_seconds,
        heartbeat_seconds=_seconds,
        server_time=_seconds,
        jobs=st.lists(_jobs, max_size=2).map(tuple),
    )
)
def test_a_claim_answer_survives_the_way(answer: ClaimAnswer) -> None:
    assert travelled(answer) == answer


def test_a_report_survives_the_way_with_its_outcome() -> None:
    file = WrittenFile("out", "a", 3, "00000001", "g", events=None)
    report = JobReport(1, "c", 2, outcome(Code.OUT_OF_TIME, "too long"), outputs=(file,))
    request = ReportRequest(1, "0.1", 5, (report,))
    assert travelled(request) == request


def test_unknown_keys_are_ignored_at_every_depth() -> None:
    job = {
        "job_id": 1,
        "task_id": 2,
        "attempt": 1,
        "claim_id": "c",
        "command": "x",
        "resources": {"warp": 9},
        "new": [],
    }
    answer = decode(ClaimAnswer, {"lease_seconds": 1, "heartbeat_seconds": 1, "server_time": 0, "jobs": [job], "x": None})
    assert answer.jobs[0].command == "x"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"cores": "4"}, "cores"),
        ({"cores": True}, "cores"),
        ({"cores": 1.0}, "cores"),
        ({"cores": 2**63}, "cores"),
        ({"queue": None}, "queue"),
        ({"wait_seconds": float("nan")}, "wait_seconds"),
        ({"wait_seconds": 10**400}, "wait_seconds"),
        ({"worker_id": "7"}, "worker_id"),
    ],
)
def test_a_wrong_value_is_refused_with_field_and_value(change: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        decode(ClaimRequest, {**_CLAIM, **change})
    assert refused.value.field == field
    assert refused.value.value is change[field]


def test_a_missing_key_is_named() -> None:
    with pytest.raises(Invalid) as refused:
        decode(ClaimRequest, {key: value for key, value in _CLAIM.items() if key != "claim_id"})
    assert (refused.value.field, refused.value.code) == ("claim_id", "missing")


def test_a_wrong_value_deep_inside_is_named_by_its_path() -> None:
    beats = {
        "protocol": 1,
        "pilot_version": "1",
        "jobs": [{"job_id": 1, "claim_id": "c", "attempt": 1, "phase": "lunch"}],
    }
    with pytest.raises(Invalid) as refused:
        decode(HeartbeatRequest, beats)
    assert refused.value.field == "jobs[0].phase"
    assert refused.value.allowed == "stage_in, running, stage_out"


@pytest.mark.parametrize("body", [None, [], "x", 3])
def test_what_is_no_object_is_refused(body: object) -> None:
    with pytest.raises(Invalid):
        decode(ClaimRequest, body)
