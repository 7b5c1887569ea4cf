"""A thread that says, on its own connection, that the present job lives, and brings back what the server wants of it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Callable

from pandawms.domain.codes import Code
from pandawms.domain.outcome import outcome
from pandawms.pilot import PILOT_VERSION
from pandawms.pilot.failures import failed
from pandawms.pilot.log import Log
from pandawms.pilot.server import Backoff, Refused, Server, Unreachable
from pandawms.pilot.stop import Stop
from pandawms.wire.pilot import PROTOCOL, BeatVerdict, HeartbeatAnswer, HeartbeatRequest, JobBeat, JobSpec, PayloadReport, Phase

_FIRST_AFTER_SECONDS = 1.0
_PAYLOADS_A_BEAT = 100
_FILES_A_BEAT = 2_000
"""Less than a megabyte: a proxy between node and server may take no more."""


@dataclass
class Vitals:
    """What a beat says of a job: written by the job's own thread, read by this one.

    `payloads` are those that have succeeded, by place; those that some answer was given to are `heard`, and told again by the report alone; those that an
    answer has named are `taken`: done, whatever becomes of the job.
    """

    phase: Phase = "stage_in"
    started_at: float | None = None
    cpu_seconds: float = 0.0
    max_rss_mb: float = 0.0
    disk_mb: float = 0.0
    payloads: dict[int, PayloadReport] = field(default_factory=dict)
    heard: set[int] = field(default_factory=set)
    taken: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Beating:
    """One job under heartbeat."""

    spec: JobSpec
    vitals: Vitals
    stop: Stop


class Heartbeat:
    """Beats for at most one job. The first beat comes after a second, so that short jobs cost none.

    Nothing that happens here stops a payload but the server's own word: without an answer it tries on, ever slower, at
    most every `heartbeat_seconds`.
    """

    def __init__(self, connect: Callable[[], Server], worker_id: int | None, log: Log) -> None:
        self._connect = connect
        self._worker_id = worker_id
        self._log = log
        self._changed = threading.Condition()
        self._job: Beating | None = None
        self._due = 0.0
        self._last = 0.0
        self._every_seconds = 60.0
        self._obeys = True
        self._thread: threading.Thread | None = None

    def begin(self, job: Beating, every_seconds: float) -> None:
        """From now on this job beats."""
        with self._changed:
            self._job, self._obeys = job, True
            self._every_seconds = max(every_seconds, 0.1)
            self._due = time.monotonic() + min(_FIRST_AFTER_SECONDS, self._every_seconds)
            if self._thread is None:
                self._thread = threading.Thread(target=self._beat_forever, name="heartbeat", daemon=True)
                self._thread.start()
            self._changed.notify()

    def phase(self, phase: Phase) -> None:
        """Says a new phase soon, but not more than once a second."""
        with self._changed:
            if self._job is not None:
                self._job.vitals.phase = phase
                soon = max(time.monotonic(), self._last) + _FIRST_AFTER_SECONDS
                self._due = min(self._due, soon)
                self._changed.notify()

    def pass_gate(self, server: Server, phase: Phase, patience_seconds: float) -> None:
        """Says a phase at once, in the caller's thread over its own connection, and returns when the server lets the job go on.

        Raises `Stopped` when the job is to stop, and `JobFailed` when nobody has answered for so long. A word that this pilot does not know is no leave.
        """
        job, backoff, until = self._present(), Backoff(self._every_seconds), time.monotonic() + patience_seconds
        job.vitals.phase = phase
        while True:
            job.stop.check()
            asked_seconds, reason = 0.0, "no leave yet"
            try:
                answer = server.heartbeat(self._request(job))
            except Unreachable as error:
                asked_seconds, reason = error.retry_after_seconds, str(error)
            except Refused as error:
                reason = str(error)
            else:
                mine = [verdict for verdict in answer.jobs if verdict.job_id == job.spec.job_id]
                if any(verdict.verdict == "ok" for verdict in mine):
                    self._log.info("gate.passed", job_id=job.spec.job_id, phase=phase)
                    return
                for verdict in mine:
                    self._obey(job, verdict)
                job.stop.check()
            self._log.info("gate.closed", job_id=job.spec.job_id, phase=phase, reason=reason)
            if time.monotonic() >= until:
                raise failed(Code.COMMUNICATION_FAILED, f"the server gave no leave for {phase}: {reason}")
            job.stop.wait(backoff.pause_seconds(asked_seconds))

    def tell_payloads(self, server: Server) -> set[int]:
        """Tells at once, in the caller's thread, of all payloads that succeeded and are not `heard`; returns those that the server has taken.

        Raises `Unreachable`; called again it goes on where it was. A server that will not hear it has taken no more.
        """
        job = self._present()
        while True:
            request = self._request(job)
            if not any(beat.payloads for beat in request.jobs):
                return job.vitals.taken
            try:
                _note(job, request, server.heartbeat(request))
            except Refused as error:
                self._log.info("heartbeat.refused", job_id=job.spec.job_id, reason=str(error))
                return job.vitals.taken

    def _present(self) -> Beating:
        with self._changed:
            assert self._job is not None, "a job is under heartbeat while it runs"
            return self._job

    def only_beat(self) -> None:
        """Keeps the lease, but obeys no more: the report is under way, and its answer alone counts."""
        with self._changed:
            self._obeys = False

    def end(self) -> None:
        """The job is over; an answer that comes later is ignored."""
        with self._changed:
            self._job = None

    def _beat_forever(self) -> None:
        server, backoff = self._connect(), Backoff(self._every_seconds)
        while True:
            job = self._next()
            try:
                pause = self._beat(server, backoff, job)
            except Exception as error:  # noqa: BLE001 (the loop's boundary: without it the lease would run out in silence)
                self._log.info("heartbeat.failed", job_id=job.spec.job_id, reason=f"{type(error).__name__}: {error}")
                pause = self._every_seconds
            with self._changed:
                self._last = time.monotonic()
                if self._job is job:
                    self._due = self._last + pause

    def _next(self) -> Beating:
        with self._changed:
            while True:
                remaining = self._due - time.monotonic()
                if self._job is not None and remaining <= 0:
                    return self._job
                self._changed.wait(remaining if self._job is not None else None)

    def _beat(self, server: Server, backoff: Backoff, job: Beating) -> float:
        """One beat; returns the pause until the next one."""
        request = self._request(job)
        try:
            answer = server.heartbeat(request)
        except Unreachable as error:
            self._log.info("heartbeat.unanswered", job_id=job.spec.job_id, reason=str(error))
            return min(backoff.pause_seconds(error.retry_after_seconds), max(self._every_seconds, error.retry_after_seconds))
        except Refused as error:
            self._log.info("heartbeat.refused", job_id=job.spec.job_id, reason=str(error))
            return self._every_seconds
        backoff.reset()
        _note(job, request, answer)
        for verdict in answer.jobs:
            self._obey(job, verdict)
        return self._every_seconds

    def _obey(self, job: Beating, verdict: BeatVerdict) -> None:
        with self._changed:
            if self._job is not job or not self._obeys or verdict.job_id != job.spec.job_id:
                return
            if verdict.verdict in ("kill", "gone"):
                self._log.info("job.stop_asked", job_id=verdict.job_id, verdict=verdict.verdict, reason=verdict.reason)
                gone = verdict.verdict == "gone"
                reason = outcome(Code.LEASE_LOST if gone else Code.KILLED_BY_SERVER, verdict.reason)
                job.stop.request(reason, gone=gone)

    def _request(self, job: Beating) -> HeartbeatRequest:
        vitals = job.vitals
        beat = JobBeat(
            job_id=job.spec.job_id,
            claim_id=job.spec.claim_id,
            attempt=job.spec.attempt,
            phase=vitals.phase,
            started_at=vitals.started_at,
            cpu_seconds=vitals.cpu_seconds,
            max_rss_mb=vitals.max_rss_mb,
            disk_mb=vitals.disk_mb,
            payloads=_untold(vitals),
        )
        return HeartbeatRequest(PROTOCOL, PILOT_VERSION, self._worker_id, (beat,))


def _untold(vitals: Vitals) -> tuple[PayloadReport, ...]:
    """The next payloads to tell of: as many as one call may carry, and at least one."""
    untold: list[PayloadReport] = []
    n_files = 0
    for n, payload in list(vitals.payloads.items()):
        if n in vitals.heard:
            continue
        n_files += len(payload.outputs)
        if untold and (len(untold) == _PAYLOADS_A_BEAT or n_files > _FILES_A_BEAT):
            break
        untold.append(payload)
    return tuple(untold)


def _note(job: Beating, request: HeartbeatRequest, answer: HeartbeatAnswer) -> None:
    """Remembers what was told, and what the server has taken of it."""
    job.vitals.heard.update(payload.n for beat in request.jobs for payload in beat.payloads)
    for verdict in answer.jobs:
        if verdict.job_id == job.spec.job_id:
            job.vitals.taken.update(verdict.payloads)
