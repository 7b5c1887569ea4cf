"""The pilot's loop: claim, run, report, until its time is over, nothing came for long, or it has run enough."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from types import FrameType

from pandawms.domain.outcome import payload_outcome
from pandawms.pilot import PILOT_VERSION
from pandawms.pilot.disk import shortage
from pandawms.pilot.download import ServerDownload
from pandawms.pilot.environment import Builder, base_interpreter, find_uv
from pandawms.pilot.failures import is_no_space
from pandawms.pilot.heartbeat import Beating, Heartbeat, Vitals
from pandawms.pilot.job import Bench, JobRun, Result
from pandawms.pilot.limits import free_disk_mb
from pandawms.pilot.log import JOB_LOG, Log
from pandawms.pilot.options import Options
from pandawms.pilot.payload import Guarded, Guards
from pandawms.pilot.payloads import PayloadsRun
from pandawms.pilot.reporting import Reporter
from pandawms.pilot.server import Backoff, Refused, Server, Unreachable
from pandawms.pilot.stop import Stop
from pandawms.pilot.work_folder import WorkFolder
from pandawms.wire.pilot import PROTOCOL, ClaimAnswer, ClaimRequest, JobSpec, Phase

_POLL_SECONDS = 50.0
_SIGNALS = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGXCPU,
)
_LAST_REPORT_SECONDS = 120
_LAST_STEPS_SECONDS = 180


class _Interrupted(Exception):
    """A signal came while the pilot waited for work."""


class _Unfit(Exception):
    """This node cannot take work, in plain words."""


@dataclass(frozen=True)
class _Ending:
    """An exit status; if it is not 0, the event of the last line that the pilot logs, and its reason."""

    status: int = 0
    event: str = ""
    reason: str = ""


class Agent:
    """One pilot process. `run` returns its exit status: 0 when it left in order, 3 when the server denies it work, 4 when
    the node is unfit (too little disk); the last line it logs tells why."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._log = Log(FileIO(2, "w", closefd=False) if sys.stderr else None)
        self._started = time.monotonic()
        self._stop = Stop()
        self._job_stop: Stop | None = None
        self._waits_for_work = False
        self._jobs_run = 0
        self._server = self._connect()
        self._heartbeat = Heartbeat(self._connect, options.worker_id, self._log)
        self._guarded = Guarded(Guards(adopts_orphans=True))
        self._bench = _bench(options, self._guarded, self._server, self._log)

    def run(self) -> int:
        """Serves the queue to the end of the pilot's time."""
        for number in _SIGNALS:
            signal.signal(number, self._on_signal)
        self._log.info("pilot.started", queue=self._options.queue, pid=os.getpid(), version=PILOT_VERSION)
        try:
            ending = self._serve_in_folder()
        finally:
            self._guarded.close()
            self._log.info("pilot.left", jobs=self._jobs_run)
        if ending.event:
            self._log.info(ending.event, reason=ending.reason)
        return ending.status

    def _serve_in_folder(self) -> _Ending:
        work = self._options.work_dir
        try:
            self._options.cache_dir.mkdir(parents=True, exist_ok=True)
            with WorkFolder(work) as folder:
                return self._serve(folder)
        except Refused as error:
            return _Ending(3, "pilot.denied", str(error))
        except _Unfit as error:
            return _Ending(4, "pilot.unfit", str(error))
        except OSError as error:
            if not is_no_space(error):
                raise
            return _Ending(4, "pilot.unfit", f"{error.strerror}: {error.filename or work}; {free_disk_mb(work):.0f} MB free in {work}")

    def _connect(self) -> Server:
        return Server(self._options.server, self._options.token_file)

    def _serve(self, folder: Path) -> _Ending:
        idle_since = time.monotonic()
        while not self._is_over(idle_since):
            answer = self._claim(idle_since)
            if answer is None:
                continue
            for spec in answer.jobs:
                self._run_job(spec, folder / f"job-{spec.job_id}", answer.heartbeat_seconds)
                idle_since = time.monotonic()
        return _Ending()

    def _is_over(self, idle_since: float) -> bool:
        options, idle = self._options, time.monotonic() - idle_since
        remaining = self._remaining_seconds()
        return (
            self._stop.outcome is not None
            or (remaining is not None and remaining <= 0)
            or (options.idle_seconds is not None and idle >= options.idle_seconds)
            or (options.max_jobs is not None and self._jobs_run >= options.max_jobs)
        )

    def _remaining_seconds(self) -> float | None:
        lifetime = self._options.lifetime_seconds
        return None if lifetime is None else lifetime - (time.monotonic() - self._started)

    def _payload_seconds(self) -> float | None:
        """What a payload may take of the pilot's time: all but a tenth, at most 3 minutes as in PanDA's pilot, which
        are for its outputs and its report."""
        remaining = self._remaining_seconds()
        return None if remaining is None else remaining - min(remaining / 10, _LAST_STEPS_SECONDS)

    def _claim(self, idle_since: float) -> ClaimAnswer | None:
        """One claim until it is answered, under one claim_id, so that a lost answer gives the same jobs again.

        None when the pilot's time ended meanwhile. An empty answer that came at once is followed by a pause. Raises
        `_Unfit` when too little disk is free, so that whoever started the pilot hears of it.
        """
        claim_id, backoff = uuid.uuid4().hex, Backoff(30.0)
        while not self._is_over(idle_since):
            lack = shortage(self._options.work_dir, self._options.needed_disk_mb)
            if lack:
                raise _Unfit(lack)
            asked_at = time.monotonic()
            try:
                answer = self._ask(self._claim_request(claim_id, idle_since))
            except Unreachable as error:
                self._log.info("claim.unanswered", reason=str(error))
                self._stop.wait(backoff.pause_seconds(error.retry_after_seconds))
                continue
            if not answer.jobs and time.monotonic() - asked_at < 1.0:
                self._stop.wait(min(backoff.pause_seconds(1.0), self._wait_seconds(idle_since)))
            return answer
        return None

    def _ask(self, request: ClaimRequest) -> ClaimAnswer:
        """The claim call, which a signal may break off: the server sees the connection close and gives no job."""
        self._waits_for_work = True
        try:
            if self._stop.outcome is not None:
                raise _Interrupted
            return self._server.claim(request)
        except _Interrupted as error:
            self._server.close()
            raise Unreachable("interrupted by a signal") from error
        finally:
            self._waits_for_work = False

    def _claim_request(self, claim_id: str, idle_since: float) -> ClaimRequest:
        options, remaining, machine = self._options, self._remaining_seconds(), os.uname()
        return ClaimRequest(
            protocol=PROTOCOL,
            pilot_version=PILOT_VERSION,
            claim_id=claim_id,
            queue=options.queue,
            node=machine.nodename,
            worker_id=options.worker_id,
            cores=options.cores,
            memory_mb=options.memory_mb,
            disk_mb=options.disk_mb,
            remaining_seconds=None if remaining is None else max(int(remaining), 0),
            architecture=machine.machine,
            gpus=options.gpus,
            nodes=options.nodes,
            gpu_model=options.gpu_model,
            gpu_memory_mb=options.gpu_memory_mb,
            wait_seconds=round(self._wait_seconds(idle_since), 1),
        )

    def _wait_seconds(self, idle_since: float) -> float:
        known = [_POLL_SECONDS]
        if self._options.idle_seconds is not None:
            known.append(self._options.idle_seconds - (time.monotonic() - idle_since))
        remaining = self._remaining_seconds()
        if remaining is not None:
            known.append(remaining)
        return max(min(known), 0.0)

    def _run_job(self, spec: JobSpec, folder: Path, heartbeat_seconds: float) -> None:
        """One job from its claim to its last word; its folder is gone then."""
        self._jobs_run += 1
        log_folder = folder / "log"
        with suppress(OSError):  # a full disk: the job's first step will say so, and the log goes on in memory
            log_folder.mkdir(parents=True)
        self._log.follow(log_folder / JOB_LOG)
        self._log.info("job.claimed", job_id=spec.job_id, task_id=spec.task_id, attempt=spec.attempt)
        stop, vitals = Stop(), Vitals()
        self._job_stop = stop
        if self._stop.outcome is not None:
            stop.request(self._stop.outcome)
        self._heartbeat.begin(Beating(spec, vitals, stop), heartbeat_seconds)
        try:
            if spec.payloads:
                several = PayloadsRun(spec, folder, self._bench, stop, vitals, self._heartbeat.phase, self._payload_seconds())
                self._conclude_payloads(spec, several, several.run(), stop)
            else:
                run = JobRun(spec, folder, self._bench, stop, vitals, self._heartbeat.phase, self._payload_seconds(), self._at_gate)
                self._conclude(spec, run, run.run(), stop)
        finally:
            self._heartbeat.end()
            self._job_stop = None
            stop.close()
            self._log.follow(None)
            shutil.rmtree(folder, ignore_errors=True)

    def _at_gate(self, phase: Phase, patience_seconds: float) -> None:
        self._heartbeat.pass_gate(self._server, phase, patience_seconds)

    def _conclude(self, spec: JobSpec, run: JobRun, result: Result, stop: Stop) -> None:
        if not result.outcome.is_success:
            run.remove_outputs()
        patience = self._options.report_patience_seconds
        reporter = Reporter(self._server, self._log, self._options.worker_id, patience)
        if not stop.gone:
            reporter.upload_log(spec, run.folders.log, result.ended.kept)
        self._heartbeat.only_beat()
        if stop.gone:
            run.remove_outputs()
            self._log.info("job.gone", job_id=spec.job_id)
            return
        verdict = reporter.report(spec, result)
        self._log.info("job.reported", job_id=spec.job_id, verdict=verdict and verdict.verdict)
        if verdict is not None and verdict.verdict == "refused":
            run.remove_outputs()

    def _conclude_payloads(self, spec: JobSpec, run: PayloadsRun, result: Result, stop: Stop) -> None:
        """A job that is gone is reported, too, when it has outputs: only the answer tells which of them a heartbeat has made the system's."""
        reporter = Reporter(self._server, self._log, self._options.worker_id, self._options.report_patience_seconds)
        if not stop.gone:
            reporter.upload_log(spec, run.folders.log, result.ended.kept)
        self._heartbeat.only_beat()
        if stop.gone and not run.has_outputs:
            self._log.info("job.gone", job_id=spec.job_id)
            return
        verdict = reporter.report(spec, result, self._heartbeat.tell_payloads)
        self._log.info("job.reported", job_id=spec.job_id, verdict=verdict and verdict.verdict)
        if verdict is not None:
            run.remove_outputs(but=verdict.payloads)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        """The first signal stops the job and lets it be reported; the second, or two minutes, end the pilot hard.

        The guard kills the payload when this process ends, in whatever way.
        """
        if self._stop.outcome is not None:
            os._exit(128 + number)
        reason = payload_outcome(None, number, f"the pilot was stopped by {signal.Signals(number).name}")
        self._stop.request(reason)
        signal.signal(signal.SIGALRM, lambda alarm, frame: os._exit(128 + number))
        signal.alarm(_LAST_REPORT_SECONDS)
        if self._job_stop is not None:
            self._job_stop.request(reason)
        if self._waits_for_work:
            self._waits_for_work = False
            raise _Interrupted


def _bench(options: Options, guarded: Guarded, server: Server, log: Log) -> Bench:
    interpreters = options.interpreters or (base_interpreter(),)
    return Bench(
        builder=Builder(options.cache_dir, interpreters, find_uv(options.uv), guarded),
        guarded=guarded,
        download=ServerDownload(server, log),
        log=log,
        cache=options.cache_dir,
        grace_seconds=options.grace_seconds,
        watch_seconds=options.watch_seconds,
        keep_output_bytes=options.keep_output_mb << 20,
        memory_grace=options.memory_grace,
        min_free_disk_mb=options.needed_disk_mb,
    )
