"""`POST /api/v2/pilot/report`: jobs that ended, how, and the files that they left."""

from __future__ import annotations

from dataclasses import dataclass

from pandawms.domain.outcome import Outcome


@dataclass(frozen=True)
class WrittenFile:
    """A file that is complete in storage under its final name; `adler32` is 8 hexadecimal digits."""

    stream: str
    name: str
    size_bytes: int
    adler32: str
    guid: str
    events: int | None = None


@dataclass(frozen=True)
class StepUse:
    """What one step of a job used; `exit_code` is None where it did not end by itself."""

    name: str
    exit_code: int | None = None
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    max_rss_mb: float = 0.0


@dataclass(frozen=True)
class PayloadReport:
    """What became of the n-th payload of a job; what it wrote counts when it succeeded. Payloads that were not reached, or not through, have none."""

    n: int
    outcome: Outcome
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    max_rss_mb: float = 0.0
    outputs: tuple[WrittenFile, ...] = ()


@dataclass(frozen=True)
class JobReport:
    """The end of one job. `wall_seconds` is the payload's, by the pilot's own steady clock; `disk_mb` the most that its work folder was seen to hold.

    A job of several payloads tells of all that came to an end, also of those that a heartbeat told before.
    """

    job_id: int
    claim_id: str
    attempt: int
    outcome: Outcome
    started_at: float | None = None
    ended_at: float | None = None
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    max_rss_mb: float = 0.0
    disk_mb: float = 0.0
    outputs: tuple[WrittenFile, ...] = ()
    steps: tuple[StepUse, ...] = ()
    payloads: tuple[PayloadReport, ...] = ()


@dataclass(frozen=True)
class ReportRequest:
    """All jobs that a pilot has to report; the same report may be sent again until it is answered."""

    protocol: int
    pilot_version: str
    worker_id: int | None = None
    jobs: tuple[JobReport, ...] = ()


@dataclass(frozen=True)
class ReportVerdict:
    """`accepted`; `repeated`: this report was taken before, a success; `refused`: too late, delete the outputs.

    Of a job of several payloads the outputs of `payloads` are kept whatever the verdict is, and those of all others are to be deleted.
    """

    job_id: int
    verdict: str
    status: str = ""
    reason: str = ""
    payloads: tuple[int, ...] = ()


@dataclass(frozen=True)
class ReportAnswer:
    """A verdict for each job."""

    jobs: tuple[ReportVerdict, ...] = ()
