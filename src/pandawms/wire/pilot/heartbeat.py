"""`POST /api/v2/pilot/heartbeat`: jobs that live keep their lease, and commands come back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pandawms.wire.pilot.report import PayloadReport

Phase = Literal["stage_in", "running", "stage_out"]


@dataclass(frozen=True)
class JobBeat:
    """One job that this pilot holds, with what it has used so far; `payloads` are those that succeeded and that no answer has named yet."""

    job_id: int
    claim_id: str
    attempt: int
    phase: Phase
    started_at: float | None = None
    cpu_seconds: float = 0.0
    max_rss_mb: float = 0.0
    disk_mb: float = 0.0
    payloads: tuple[PayloadReport, ...] = ()


@dataclass(frozen=True)
class HeartbeatRequest:
    """All jobs of one pilot."""

    protocol: int
    pilot_version: str
    worker_id: int | None = None
    jobs: tuple[JobBeat, ...] = ()


@dataclass(frozen=True)
class BeatVerdict:
    """`ok`; `kill`: stop the payload and report; `gone`: it is no longer this pilot's: stop the payload, delete its outputs and say nothing, except for a
    job of several payloads that has outputs, which is reported, since only the answer says which of them stay.

    A word that a pilot does not know counts as `ok`, but opens no gate. Those of the told `payloads` that are taken are done, with their outputs,
    whatever becomes of the job.
    """

    job_id: int
    verdict: str
    reason: str = ""
    payloads: tuple[int, ...] = ()


@dataclass(frozen=True)
class HeartbeatAnswer:
    """A verdict for each job, and how long the renewed lease lasts."""

    lease_seconds: float
    server_time: float
    jobs: tuple[BeatVerdict, ...] = ()
