"""Decides how a report ends a job, and how a report that comes late or again is answered. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from pandawms.domain.codes import Code
from pandawms.domain.job import JobEvent, JobStatus
from pandawms.domain.outcome import MESSAGE_CHARACTERS, Outcome, outcome
from pandawms.store.catalogue import NewFile
from pandawms.store.jobs import Expected, Held, Known, Usage
from pandawms.wire.pilot.report import JobReport, ReportVerdict, WrittenFile

PHASES = {"stage_in": JobStatus.STARTING, "running": JobStatus.RUNNING, "stage_out": JobStatus.RUNNING}
"""The status that follows from a pilot's phase: stage-out is the end of running, since it seldom lasts."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a reported job: the event, the outcome, and the outputs that are kept (n of the job's file, dataset, file)."""

    job: Held
    event: JobEvent
    outcome: Outcome
    usage: Usage
    outputs: tuple[tuple[Expected, NewFile], ...]


def reported_outcome(report: JobReport) -> Outcome:
    """Returns the outcome that the pilot reported, its message cut to what is kept."""
    return replace(report.outcome, message=report.outcome.message[:MESSAGE_CHARACTERS])


def usage(report: JobReport, now: datetime) -> Usage:
    """Returns what the payload used. The start is our clock's: now less the pilot's own wall time, since its clock may be wrong."""
    started_at = now - timedelta(seconds=max(0.0, report.wall_seconds)) if report.started_at is not None else None
    return Usage(started_at, report.wall_seconds, report.cpu_seconds, round(report.max_rss_mb))


def decide(job: Held, report: JobReport, expected: Sequence[Expected], now: datetime) -> Decision:
    """Success needs every expected output; outputs to be merged keep the job in merging."""
    reported = reported_outcome(report)
    written = {file.name: file for file in report.outputs}
    missing = [file.name for file in expected if file.name not in written]
    if reported.is_success and missing:
        reported = outcome(Code.MISSING_OUTPUT, f"the report names no {missing[0]}")
    if not reported.is_success:
        return Decision(job, JobEvent.FAIL, reported, usage(report, now), ())
    outputs = tuple((file, _new_file(written[file.name])) for file in expected)
    waits = any(file.dataset_role == "transient" for file in expected)
    return Decision(job, JobEvent.MERGE if waits else JobEvent.FINISH, reported, usage(report, now), outputs)


def answer_unheld(report: JobReport, known: Known | None) -> ReportVerdict:
    """A report of a job that is not leased to its claim: it was taken before, or it is too late."""
    if known is None:
        return ReportVerdict(report.job_id, "refused", "", "there is no such job")
    same = known.claim_id is not None and known.claim_id == UUID(report.claim_id)
    is_success = report.outcome.is_success
    if same and (known.status in ("finished", "merging")) == is_success and (is_success or known.error_code == report.outcome.code):
        return ReportVerdict(report.job_id, "repeated", known.status)
    return ReportVerdict(report.job_id, "refused", known.status, "the job was ended otherwise before this report came")


def _new_file(file: WrittenFile) -> NewFile:
    return NewFile(file.name, UUID(file.guid), file.size_bytes, bytes.fromhex(file.adler32), file.events)


def now() -> datetime:
    """The present time, UTC."""
    return datetime.now(UTC)
