"""How many units a job has at most, and what of them one report can tell."""

import json
from typing import Any

import pytest

from pandawms.api.core import Options
from pandawms.domain.codes import Code
from pandawms.domain.outcome import MESSAGE_CHARACTERS, SUCCESS, outcome
from pandawms.engine.requirements import Effective
from pandawms.engine.splitting.limits import MOST_FILES, largest_job, rules
from pandawms.wire.document import BoundarySpec, InputSpec, SplitSpec
from pandawms.wire.document_view import MAX_PAYLOAD_OUTPUTS, MAX_PAYLOADS, MAX_REPORT_BYTES, MOST_UNITS, most_units, names_units
from pandawms.wire.pilot import JobReport, PayloadReport, ReportRequest, WrittenFile, encode

GROUPS = BoundarySpec(name_field=1)


@pytest.mark.parametrize(
    ("split", "most", "field"),
    [
        ({}, 1, None),
        ({"max_files_per_job": 50}, 1, None),
        ({"files_per_job": 7}, 7, "split.files_per_job"),
        ({"files_per_job": 300}, 300, "split.files_per_job"),
        ({"mb_per_job": 5}, 200, "split.mb_per_job"),
        ({"mb_per_job": 5, "max_files_per_job": 50}, 50, "split.max_files_per_job"),
        ({"events_per_job": 5, "max_files_per_job": 50}, 50, "split.max_files_per_job"),
        ({"boundary": GROUPS}, 200, "split.boundary"),
        ({"n_jobs": 3}, MOST_UNITS, "split.n_jobs"),
        ({"boundary": BoundarySpec(name_field=1, one_job_per_group=True)}, MOST_UNITS, "split.boundary"),
    ],
)
def test_the_largest_job_of_files_is_the_one_that_the_cut_makes(split: dict[str, Any], most: int, field: str | None) -> None:
    spec = SplitSpec(**split)
    assert (most_units(InputSpec(dataset="user.me:x"), spec), names_units(spec)) == (most, field)
    assert largest_job(rules(spec, Effective())) == most
    assert MOST_UNITS == MOST_FILES


@pytest.mark.parametrize(("split", "most"), [({}, 1), ({"files_per_job": 7}, 7), ({"n_jobs": 3}, 4), ({"n_jobs": 10}, 1)])
def test_pieces_are_one_a_job_unless_a_number_is_said(split: dict[str, Any], most: int) -> None:
    assert most_units(InputSpec(pieces=10), SplitSpec(**split)) == most


def test_a_job_of_events_has_one_unit() -> None:
    assert most_units(InputSpec(count=1000), SplitSpec(events_per_job=10)) == 1


@pytest.mark.parametrize("per_payload", [0, MAX_PAYLOAD_OUTPUTS // MAX_PAYLOADS, 100])
def test_the_largest_report_that_a_document_allows_is_taken_by_the_server(per_payload: int) -> None:
    assert Options().max_body_bytes == MAX_REPORT_BYTES
    n_payloads = min(MAX_PAYLOADS, MAX_PAYLOAD_OUTPUTS // max(1, per_payload))
    file = WrittenFile("s" * 50, "n" * 250, 2**63 - 1, "0" * 8, "0" * 36, 10**12)
    told = SUCCESS if per_payload else outcome(list(Code)[1], "\U0001f525" * MESSAGE_CHARACTERS, -(2**31))
    payloads = tuple(PayloadReport(n, told, 123456789.123456, 123456789.123456, 123456789.123456, (file,) * per_payload) for n in range(n_payloads))
    job = JobReport(2**63 - 1, "0" * 36, 99, SUCCESS, payloads=payloads)
    assert len(json.dumps(encode(ReportRequest(1, "1" * 20, 2**63 - 1, (job,))))) <= MAX_REPORT_BYTES
