"""A job of several payloads: each runs in a folder of its own, as a job of one would, and has its own end, account and outputs.

The job's time is for all of them; cores, memory, disk and GPUs are shared equally by those that run at once.
"""

from __future__ import annotations

import resource
import shutil
import threading
import time
from collections.abc import Container
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable

from pandawms.domain.codes import Code, Domain
from pandawms.domain.outcome import Outcome, outcome
from pandawms.pilot.heartbeat import Vitals
from pandawms.pilot.job import Bench, JobRun, Part, Result
from pandawms.pilot.payload import Guarded
from pandawms.pilot.stop import Stop
from pandawms.wire.pilot import InputFile, JobSpec, Payload, PayloadReport, Phase

_LEAST_KEPT_BYTES = 1 << 16
_DESCRIPTORS_A_PAYLOAD = 8
_DESCRIPTORS_BESIDE = 64
_OF_THE_JOB = frozenset(
    {
        Code.SANDBOX_NOT_FETCHED,
        Code.SANDBOX_CHECKSUM,
        Code.MISSING_USER_CODE,
        Code.STAGE_OUT_FAILED,
        Code.STAGE_OUT_TIMEOUT,
        Code.STAGE_OUT_CHECKSUM,
        Code.STAGE_OUT_DENIED,
        Code.NO_REMOTE_SPACE,
        Code.NO_STORAGE_PROTOCOL,
    }
)
"""What the server or the storage has refused to one payload it will refuse to the next. An input is another matter: each payload has its own."""


@dataclass
class _Begun:
    """A payload that runs: when it may be blamed for what happens to the job, and what it uses."""

    vitals: Vitals
    limit_seconds: float
    is_limit_of_job: bool


class PayloadsRun:
    """One run of such a job on this node; used as `JobRun` is. A payload that succeeded is told by the heartbeats from then on."""

    def __init__(
        self,
        spec: JobSpec,
        folder: Path,
        bench: Bench,
        stop: Stop,
        vitals: Vitals,
        on_phase: Callable[[Phase], None],
        remaining_seconds: float | None = None,
    ) -> None:
        self._job = JobRun(spec, folder, bench, stop, vitals, on_phase)
        self.folders, self.result = self._job.folders, self._job.result
        self._spec, self._folder, self._bench, self._stop, self._vitals = spec, folder, bench, stop, vitals
        self._on_phase = on_phase
        limits = [limit for limit in (spec.resources.wall_seconds, remaining_seconds) if limit]
        self._wall_limit = float(min(limits)) if limits else 0.0
        self._waiting = list(reversed(spec.payloads))
        self._width = spec.each.width(len(spec.payloads))
        self._runs: dict[int, JobRun] = {}
        self._begun: dict[int, _Begun] = {}
        self._over: Outcome | None = None
        self._lock = threading.Lock()
        self._started = 0.0

    def run(self) -> Result:
        """All payloads that there is time for; whatever happens becomes an outcome."""
        self._job.get_ready()
        if not self.result.outcome.is_success:
            return self.result
        self._on_phase("running")
        self._vitals.started_at = self.result.started_at = time.time()
        self._started = time.monotonic()
        self._work_all()
        self.result.ended = replace(self.result.ended, wall_seconds=self._seconds())
        self.result.payloads.sort(key=lambda payload: payload.n)
        self.result.outcome = self._outcome()
        self._bench.log.info("job.payloads_ended", job_id=self._spec.job_id, told=len(self.result.payloads), outcome=vars(self.result.outcome))
        return self.result

    def remove_outputs(self, but: Container[int] = ()) -> None:
        """Deletes what payloads wrote into storage, except for those of these places, and those that a heartbeat's answer has named as taken."""
        for n, run in self._runs.items():
            if n not in but and n not in self._vitals.taken:
                run.remove_outputs()

    @property
    def has_outputs(self) -> bool:
        """Whether some payload wrote something into storage that is still there."""
        return any(run.result.written_urls for run in self._runs.values())

    def _work_all(self) -> None:
        if self._width == 1:
            self._work(self._bench.guarded, 0)
            return
        _allow_descriptors(_DESCRIPTORS_BESIDE + _DESCRIPTORS_A_PAYLOAD * self._width)
        workers = [threading.Thread(target=self._work_guarded, args=(n,), name=f"payloads-{n}", daemon=True) for n in range(self._width)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    def _work_guarded(self, place: int) -> None:
        """With a guard of its own, as a guard has one payload at a time."""
        guarded = self._bench.guarded.another()
        try:
            self._work(guarded, place)
        finally:
            guarded.close()

    def _work(self, guarded: Guarded, place: int) -> None:
        while True:
            payload = self._next()
            if payload is None:
                return
            self._run(payload, guarded, place)

    def _next(self) -> Payload | None:
        """The next payload, unless the job is over: stopped, out of time, or after too many failures."""
        with self._lock:
            most = self._spec.each.stop_after_failures
            n_failed = sum(not payload.outcome.is_success for payload in self.result.payloads)
            left = self._left()
            if self._over is None and left is not None and left <= 0:
                self._over = self._out_of_time()
            if self._stop.outcome is not None or self._over is not None or not self._waiting or (most and n_failed >= most):
                return None
            payload, own = self._waiting.pop(), self._spec.each.wall_seconds
            is_limit_of_job = left is not None and (not own or left < own)
            self._begun[payload.n] = _Begun(Vitals(), left if left is not None and is_limit_of_job else float(own), is_limit_of_job)
            return payload

    def _run(self, payload: Payload, guarded: Guarded, place: int) -> None:
        begun, folder = self._begun[payload.n], self._folder / f"payload-{payload.n}"
        part = Part(f"payload.{payload.n}", self.folders.log, self._job.environment, self._add_up, place, self._width)
        bench = replace(self._bench, guarded=guarded, keep_output_bytes=max(_LEAST_KEPT_BYTES, self._bench.keep_output_bytes // len(self._spec.payloads)))
        remaining = begun.limit_seconds if begun.is_limit_of_job else None
        run = JobRun(self._alone(payload), folder, bench, self._stop, begun.vitals, _no_phase, remaining, part=part)
        self._runs[payload.n] = run
        ended = run.run()
        shutil.rmtree(folder, ignore_errors=True)
        with self._lock:
            self._settle(payload, run, ended, begun)

    def _settle(self, payload: Payload, run: JobRun, ended: Result, begun: _Begun) -> None:
        """Says what became of a payload, unless it was not its own doing that it did not come to its end."""
        self.result.ended = replace(
            self.result.ended,
            cpu_seconds=self.result.ended.cpu_seconds + ended.ended.cpu_seconds,
            kept={**self.result.ended.kept, **ended.ended.kept},
        )
        is_done = ended.outcome.is_success
        if not is_done:
            run.remove_outputs()
        begun.vitals.cpu_seconds = 0.0
        if is_done or self._is_own_end(ended, begun):
            report = _report(payload, ended)
            self.result.payloads.append(report)
            if is_done:
                self._vitals.payloads[payload.n] = report
        self._add_up()
        begun.vitals.max_rss_mb = begun.vitals.disk_mb = 0.0
        self._bench.log.info("payload.ended", job_id=self._spec.job_id, payload=payload.n, outcome=vars(ended.outcome))

    def _is_own_end(self, ended: Result, begun: _Begun) -> bool:
        """Whether a payload that failed failed by itself, and not by its node, the server or the storage, which end the job.

        At the end of the job's time that is one that had more than half of it, or the first ones of all: else a payload that
        never ends would go from job to job for ever.
        """
        if self._stop.outcome is not None:
            return False
        row = ended.outcome.row
        if row is Code.OUT_OF_TIME and begun.is_limit_of_job:
            self._over = self._over or self._out_of_time()
            is_first = len(self._begun) <= self._width
            return is_first or ended.ended.wall_seconds > self._wall_limit / 2
        if row in _OF_THE_JOB or (row is not Code.OUT_OF_TIME and ended.outcome.domain == Domain.PILOT):
            self._over = self._over or ended.outcome
            return False
        return True

    def _alone(self, payload: Payload) -> JobSpec:
        """A payload as a job of its own, with what it shares beside its own inputs."""
        spec = self._spec
        return replace(
            spec,
            command=payload.command,
            inputs=(*[self._shared(file) for file in spec.inputs], *payload.inputs),
            outputs=payload.outputs,
            text_files=payload.text_files,
            traits=payload.traits,
            payloads=(),
            steps=(),
            resources=replace(spec.resources.part(self._width), wall_seconds=spec.each.wall_seconds),
        )

    def _shared(self, file: InputFile) -> InputFile:
        """A file that came for all payloads: copied, since one of them may change it."""
        return replace(file, sources=((self.folders.work / file.local_name).as_uri(),))

    def _add_up(self) -> None:
        """What the job uses: what has ended, and what runs."""
        running = [begun.vitals for begun in list(self._begun.values())]
        self._vitals.cpu_seconds = self.result.ended.cpu_seconds + sum(vitals.cpu_seconds for vitals in running)
        self._vitals.disk_mb = sum(vitals.disk_mb for vitals in running)
        self._vitals.max_rss_mb = self.result.max_rss_mb = max(self.result.max_rss_mb, sum(vitals.max_rss_mb for vitals in running))
        self.result.max_disk_mb = max(self.result.max_disk_mb, self._vitals.disk_mb)

    def _seconds(self) -> float:
        return time.monotonic() - self._started

    def _left(self) -> float | None:
        return self._wall_limit - self._seconds() if self._wall_limit else None

    def _out_of_time(self) -> Outcome:
        return outcome(Code.OUT_OF_TIME, f"ran for {self._seconds():.0f} s, the limit is {self._wall_limit:.0f} s")

    def _outcome(self) -> Outcome:
        done = sum(payload.outcome.is_success for payload in self.result.payloads)
        if done == len(self._spec.payloads):
            return self.result.outcome
        failed = len(self.result.payloads) - done
        return self._stop.outcome or self._over or outcome(Code.PAYLOADS_FAILED, f"{failed} of {len(self._spec.payloads)} payloads failed")


def _report(payload: Payload, ended: Result) -> PayloadReport:
    used = ended.ended
    return PayloadReport(
        n=payload.n,
        outcome=ended.outcome,
        wall_seconds=round(used.wall_seconds, 3),
        cpu_seconds=round(used.cpu_seconds, 3),
        max_rss_mb=round(max(ended.max_rss_mb, used.max_rss_mb), 1),
        outputs=tuple(ended.outputs) if ended.outcome.is_success else (),
    )


def _allow_descriptors(wanted: int) -> None:
    """Raises the soft limit of open files as far as the hard one lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


def _no_phase(phase: Phase) -> None:
    """The phases of one payload are not those of its job."""
