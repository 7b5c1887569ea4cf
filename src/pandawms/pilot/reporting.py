"""The last word on a job: the log goes to the server if it can, the report goes until it is answered."""

from __future__ import annotations

import time
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable

from pandawms.pilot import PILOT_VERSION
from pandawms.pilot.job import Result
from pandawms.pilot.kept import Kept
from pandawms.pilot.log import JOB_LOG, Log, pack
from pandawms.pilot.server import Backoff, Refused, Server, Unreachable
from pandawms.wire.pilot import PROTOCOL, JobReport, JobSpec, ReportRequest, ReportVerdict

_DENIED = (401, 403)
_TOO_LARGE = 413
_SHORT_MESSAGE = 100

TellPayloads = Callable[[Server], set[int]]
"""Tells of payloads in parts, by heartbeats, and returns those that the server has taken; may raise `Unreachable`."""


@dataclass(frozen=True)
class Reporter:
    """Sends logs and reports; a report is tried for `patience_seconds`."""

    server: Server
    log: Log
    worker_id: int | None
    patience_seconds: float

    def upload_log(self, spec: JobSpec, folder: Path, kept: Mapping[str, Kept]) -> None:
        """One attempt; a log that cannot be packed or sent never fails a job."""
        try:
            self.server.upload_log(spec.job_id, spec.claim_id, pack(folder, {**kept, JOB_LOG: self.log.kept()}))
        except (OSError, Unreachable, Refused) as error:
            self.log.info("log.not_uploaded", job_id=spec.job_id, reason=str(error))

    def report(self, spec: JobSpec, result: Result, tell: TellPayloads | None = None) -> ReportVerdict | None:
        """The server's verdict; None when there was none in time, or the server will not hear this report at all.

        A denied token is tried again: its file may be renewed. Where payloads can be told of beforehand, a report that is too large goes without them.
        """
        report = job_report(spec, result)
        give_up_at, backoff = time.monotonic() + self.patience_seconds, Backoff()
        while True:
            try:
                return self._report(report, tell)
            except Refused as error:
                self.log.info("report.refused", job_id=spec.job_id, reason=str(error))
                if error.status not in _DENIED:
                    return None
                pause = backoff.pause_seconds()
            except Unreachable as error:
                self.log.info("report.unanswered", job_id=spec.job_id, reason=str(error))
                pause = backoff.pause_seconds(error.retry_after_seconds)
            if time.monotonic() + pause > give_up_at:
                return None
            time.sleep(pause)

    def _report(self, report: JobReport, tell: TellPayloads | None) -> ReportVerdict | None:
        try:
            verdicts = self.server.report(ReportRequest(PROTOCOL, PILOT_VERSION, self.worker_id, (report,))).jobs
            return next((verdict for verdict in verdicts if verdict.job_id == report.job_id), None)
        except Refused as error:
            if error.status != _TOO_LARGE or tell is None:
                raise
        shorter = without(report, tell(self.server))
        self.log.info("report.shortened", job_id=report.job_id, payloads=len(report.payloads), left=len(shorter.payloads))
        return self._report(shorter, None)


def job_report(spec: JobSpec, result: Result) -> JobReport:
    """What the server is told; a failed job lists no outputs."""
    return JobReport(
        job_id=spec.job_id,
        claim_id=spec.claim_id,
        attempt=spec.attempt,
        outcome=result.outcome,
        started_at=result.started_at,
        ended_at=time.time(),
        wall_seconds=round(result.ended.wall_seconds, 3),
        cpu_seconds=round(result.ended.cpu_seconds, 3),
        max_rss_mb=round(result.max_rss_mb, 1),
        disk_mb=round(result.max_disk_mb, 1),
        outputs=tuple(result.outputs) if result.outcome.is_success else (),
        steps=tuple(result.steps),
        payloads=tuple(result.payloads),
    )


def without(report: JobReport, taken: Container[int]) -> JobReport:
    """The report without those payloads that the server has taken, and with short messages; one payload stays, which says that this pilot knows of them."""
    left = [payload for payload in report.payloads if payload.n not in taken] or report.payloads[:1]
    return replace(report, payloads=tuple(replace(each, outcome=replace(each.outcome, message=each.outcome.message[:_SHORT_MESSAGE])) for each in left))
