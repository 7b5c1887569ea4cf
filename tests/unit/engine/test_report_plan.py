"""How a report ends a job, and how one that comes late or again is answered."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from pandawms.domain.codes import Code
from pandawms.domain.job import JobEvent
from pandawms.domain.outcome import SUCCESS, Outcome, outcome
from pandawms.engine.blueprints import Blueprint, blueprint
from pandawms.engine.report.plan import answer_unheld, decide, usage
from pandawms.store.leases import Facts, Known
from pandawms.store.tasks import BlueprintRow
from pandawms.wire.pilot.report import JobReport, WrittenFile

CLAIM = uuid4()
HELD = Facts(1, 10, 1, "run", 1, serial=1, endpoint_id=4, n_inputs=2)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
OUT, PART = "t.out.000001.1.txt", "t.part.000001.1.txt"
TARGETS = {"out": [70, 7, "output", "user.ada"], "part": [80, 8, "transient", "user.ada"]}
FAILURE = outcome(Code.PAYLOAD_FAILED, "exit 1", exit_code=1)


def task(*streams: str) -> Blueprint:
    """A task that writes these streams."""
    document = {"name": "t", "program": {"command": "true"}, "inputs": {"events": {"count": 1}}, "outputs": {stream: f"{stream}.txt" for stream in streams}}
    return blueprint(BlueprintRow(10, 1, "t", document, TARGETS))


def written(name: str) -> WrittenFile:
    """A file of this name."""
    return WrittenFile("out", name, 5, "0000ffff", str(UUID(int=1)))


def report(ended: Outcome = SUCCESS, *names: str, **changes: Any) -> JobReport:
    """A report that names these files."""
    return JobReport(1, CLAIM.hex, 1, ended, outputs=tuple(written(name) for name in names), **changes)


def test_a_success_with_all_outputs_finishes_the_job_and_keeps_what_was_expected_only() -> None:
    found = decide(HELD, report(SUCCESS, OUT, "something else"), task("out"), NOW)
    assert (found.ending.event, found.ending.status, found.ending.outcome) == (JobEvent.FINISH, "finished", SUCCESS)
    (file,) = found.written
    assert (file.job_id, file.n, file.task_dataset_id, file.dataset_id, file.endpoint_id, file.status) == (1, 2, 70, 7, 4, "finished")
    assert (file.name, file.adler32, file.guid) == (OUT, b"\0\0\xff\xff", str(UUID(int=1)))


def test_a_success_whose_output_is_to_be_merged_waits_for_the_merge() -> None:
    found = decide(HELD, report(SUCCESS, OUT, PART), task("out", "part"), NOW)
    assert (found.ending.event, found.ending.status) == (JobEvent.MERGE, "merging")
    assert [(file.n, file.task_dataset_id, file.dataset_id, file.status) for file in found.written] == [(2, 70, 8, "finished"), (3, 80, 8, "ready")]


def test_a_success_without_an_output_that_was_expected_is_a_failure_that_names_it() -> None:
    found = decide(HELD, report(SUCCESS, OUT), task("out", "part"), NOW)
    assert (found.ending.event, found.ending.outcome.code, found.written) == (JobEvent.FAIL, Code.MISSING_OUTPUT.number, ())
    assert PART in found.ending.outcome.message


def test_a_failure_keeps_no_output_whatever_it_names() -> None:
    found = decide(HELD, report(FAILURE, OUT), task("out"), NOW)
    assert (found.ending.event, found.ending.outcome, found.written) == (JobEvent.FAIL, FAILURE, ())


def test_a_job_without_outputs_may_just_finish() -> None:
    assert decide(HELD, report(), task(), NOW).ending.event == JobEvent.FINISH


def test_a_message_is_cut_to_what_is_kept() -> None:
    found = decide(HELD, report(Outcome("payload", 1305, message="x" * 10_000)), task("out"), NOW)
    assert len(found.ending.outcome.message) == 500


def test_the_start_is_reckoned_by_our_clock_whatever_the_pilots_says() -> None:
    found = usage(report(started_at=5e9, wall_seconds=60.0, cpu_seconds=30.0, max_rss_mb=99.6), NOW)
    assert (found.started_at, found.wall_seconds, found.max_rss_mb) == (NOW - timedelta(seconds=60), 60.0, 100)
    assert usage(report(started_at=None), NOW).started_at is None
    assert usage(report(started_at=1.0, wall_seconds=-5.0), NOW).started_at == NOW


def known(status: str, code: int = 0, claim: UUID | None = CLAIM) -> Known:
    """What is known of the job."""
    return Known(1, claim, status, "none", code)


@pytest.mark.parametrize(
    ("ended", "found", "verdict"),
    [
        (SUCCESS, known("finished"), "repeated"),
        (SUCCESS, known("merging"), "repeated"),
        (SUCCESS, known("failed", 100), "refused"),
        (SUCCESS, known("cancelled", 100), "refused"),
        (SUCCESS, known("finished", claim=uuid4()), "refused"),
        (SUCCESS, known("activated", claim=None), "refused"),
        (SUCCESS, None, "refused"),
        (FAILURE, known("failed", 1305), "repeated"),
        (FAILURE, known("failed", 100), "refused"),
        (FAILURE, known("finished"), "refused"),
        (FAILURE, known("merging"), "refused"),
    ],
)
def test_a_report_of_a_job_that_is_not_held_is_repeated_only_when_it_was_taken_before(ended: Outcome, found: Known | None, verdict: str) -> None:
    answer = answer_unheld(report(ended), found)
    assert (answer.verdict, answer.status) == (verdict, found.status if found else "")
