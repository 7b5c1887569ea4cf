"""Decides how a report ends a job, and how a report that comes late or again is answered. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pandawms.domain.clone import ANOTHER_WON
from pandawms.domain.codes import Code
from pandawms.domain.job import JOB, JobEvent, JobStatus
from pandawms.domain.outcome import MESSAGE_CHARACTERS, Outcome, outcome
from pandawms.engine.blueprints import Blueprint, Output
from pandawms.store.endings import Ending, Usage, Written
from pandawms.store.leases import Facts, Key, Known, Told
from pandawms.wire.pilot.heartbeat import JobBeat
from pandawms.wire.pilot.report import JobReport, ReportVerdict, WrittenFile

PHASES = {"stage_in": "starting", "running": "running", "stage_out": "stageout"}
"""The status that follows from a pilot's phase, in the order in which they come."""

_ORDER = {status: place for place, status in enumerate(PHASES.values())}

_LOST = Code.ANOTHER_COPY_WON.domain, Code.ANOTHER_COPY_WON.number
"""What copies that had lost ended with, whatever their pilots said."""

STATUSES = {event: JOB.next_status(JobStatus.RUNNING, event) for event in (JobEvent.FINISH, JobEvent.FAIL, JobEvent.MERGE)}
"""Where a reported job goes, which is the same from all statuses of a lease."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a reported job, and the outputs that are kept."""

    ending: Ending
    written: Sequence[Written]


def claim_of(said: JobBeat | JobReport) -> str:
    """Returns the claim that a pilot names, as 32 lower-case hexadecimal digits whatever form the pilot used."""
    return said.claim_id.replace("-", "").lower()


def key(said: JobBeat | JobReport, queue_id: int) -> Key:
    """Returns what a heartbeat or a report is known by."""
    return said.job_id, claim_of(said), queue_id


def statuses(beats: Iterable[tuple[Key, JobBeat]]) -> dict[Key, str]:
    """Returns the status that each job's phase stands for; of several heartbeats of a job that come together the furthest counts."""
    found: dict[Key, str] = {}
    for each, beat in beats:
        status = PHASES[beat.phase]
        if each not in found or _ORDER[status] > _ORDER[found[each]]:
            found[each] = status
    return found


def reported_outcome(report: JobReport) -> Outcome:
    """Returns the outcome that the pilot reported, its message cut to what is kept."""
    told = report.outcome
    return told if len(told.message) <= MESSAGE_CHARACTERS else replace(told, message=told.message[:MESSAGE_CHARACTERS])


def usage(report: JobReport, now: datetime) -> Usage:
    """Returns what the payload used. The start is our clock's: now less the pilot's own wall time, since its clock may be wrong."""
    started_at = now - timedelta(seconds=max(0.0, report.wall_seconds)) if report.started_at is not None else None
    return Usage(started_at, report.wall_seconds, report.cpu_seconds, round(report.max_rss_mb), round(report.disk_mb) or None)


def steps(report: JobReport) -> list[dict[str, Any]]:
    """Returns what the steps of a job used, as it is kept."""
    return [asdict(step) for step in report.steps]


def decide(job: Facts, report: JobReport, blueprint: Blueprint, now: datetime) -> Decision:
    """Success needs every expected output; outputs to be merged keep the job in merging."""
    told, used = reported_outcome(report), usage(report, now)
    expected = blueprint.outputs(job.kind, job.serial, job.attempt, job.copy or 1) if told.is_success else []
    written = {file.name: file for file in report.outputs}
    missing = [output.name for output in expected if output.name not in written]
    if missing:
        told = outcome(Code.MISSING_OUTPUT, f"the report names no {missing[0]}")
    if not told.is_success:
        return _decision(job, JobEvent.FAIL, told, used, ())
    waits = any(output.target.role == "transient" for output in expected)
    return _decision(job, JobEvent.MERGE if waits else JobEvent.FINISH, told, used, written_by(job, expected, written, job.n_inputs))


def _decision(job: Facts, event: JobEvent, told: Outcome, used: Usage, written: Sequence[Written]) -> Decision:
    return Decision(Ending(job.job_id, event, STATUSES[event], told, used), written)


def written_by(job: Facts, expected: Sequence[Output], written: Mapping[str, WrittenFile], first: int) -> list[Written]:
    """Returns the outputs of a job, or of one of its payloads, for the catalogue: the files of the job from place `first` on.

    All files of a job that waits for a merge go to its transient dataset: the others move to where they belong when the merge has succeeded, so that
    no reader sees the output of a job that may have to run again.
    """
    assert job.endpoint_id is not None or not expected, "where outputs go is fixed when a job is made"
    aside = next((output.target.dataset_id for output in expected if output.target.role == "transient"), None)
    kept = []
    for n, output in enumerate(expected, first):
        file, target = written[output.name], output.target
        kept.append(Written(
            job.job_id, n, job.task_id, target.task_dataset_id, aside or target.dataset_id, job.endpoint_id or 0, target.scope, output.name, file.guid,
            file.size_bytes, bytes.fromhex(file.adler32), file.events, "ready" if target.role == "transient" else "finished",
        ))  # fmt: skip
    return kept


def at_gates(statuses: Mapping[Key, str], told: Mapping[Key, Told]) -> dict[Key, str]:
    """Returns the copies of jobs that run or store, or ask whether they may, each with the status that it wants."""
    return {key: status for key, status in statuses.items() if status != "starting" and key in told and told[key].is_copy}


def through_gates(wanted: Mapping[Key, str], told: Mapping[Key, Told], passed: Mapping[int, bool]) -> dict[Key, Told]:
    """Returns what jobs are told, once the gates have been asked: a copy goes on, or stops since another has won, or is its claim's no more."""
    answers = dict(told)
    for key in wanted:
        if key[0] not in passed:
            del answers[key]
        elif not passed[key[0]] and answers[key].verdict is None:
            answers[key] = Told("kill", ANOTHER_WON, is_copy=True)
    return answers


def answer_unheld(report: JobReport, known: Known | None) -> ReportVerdict:
    """A report of a job that is not leased to its claim (any more): it was taken before, or it is too late, or another copy of the job has won."""
    if known is None:
        return ReportVerdict(report.job_id, "refused", "", "there is no such job")
    same = known.claim_id is not None and known.claim_id.hex == claim_of(report)
    is_success = report.outcome.is_success
    if same and (known.status in ("finished", "merging")) == is_success and (is_success or known.error_code == report.outcome.code):
        return ReportVerdict(report.job_id, "repeated", known.status)
    if same and (known.error_domain, known.error_code) == _LOST:
        return ReportVerdict(report.job_id, "refused" if is_success else "repeated", known.status, ANOTHER_WON)
    return ReportVerdict(report.job_id, "refused", known.status, "the job was ended otherwise before this report came")


def answer_beside(report: JobReport, taken: JobReport, verdict: ReportVerdict) -> ReportVerdict:
    """A report that came together with one of the same job and claim, which was taken (maybe itself): it says the same, or it is too late."""
    is_success = report.outcome.is_success
    if is_success == taken.outcome.is_success and (is_success or report.outcome.code == taken.outcome.code):
        return verdict
    return ReportVerdict(report.job_id, "refused", verdict.status, "the job was ended otherwise by a report that came with this one", verdict.payloads)


def now() -> datetime:
    """The present time, UTC."""
    return datetime.now(UTC)
