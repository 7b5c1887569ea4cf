"""The last word on a job: the log goes to the server if it can, the report goes until it is answered."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pandawms.pilot import PILOT_VERSION
from pandawms.pilot.job import Result
from pandawms.pilot.kept import Kept
from pandawms.pilot.log import JOB_LOG, Log, pack
from pandawms.pilot.server import Backoff, Refused, Server, Unreachable
from pandawms.wire.pilot import PROTOCOL, JobReport, JobSpec, ReportRequest, ReportVerdict

_DENIED = (401, 403)


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

    def report(self, spec: JobSpec, result: Result) -> ReportVerdict | None:
        """The server's verdict; None when there was none in time, or the server will not hear this report at all.

        A denied token is tried again: its file may be renewed.
        """
        request = ReportRequest(PROTOCOL, PILOT_VERSION, self.worker_id, (job_report(spec, result),))
        give_up_at, backoff = time.monotonic() + self.patience_seconds, Backoff()
        while True:
            try:
                verdicts = self.server.report(request).jobs
                return next((verdict for verdict in verdicts if verdict.job_id == spec.job_id), None)
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
