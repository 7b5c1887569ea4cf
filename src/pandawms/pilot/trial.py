"""Runs one job here and now, without any server: what `panda submit --try` does with a task's first job."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from pandawms.domain.codes import Code
from pandawms.domain.outcome import Outcome
from pandawms.pilot.content import StorageError
from pandawms.pilot.environment import Builder, base_interpreter, find_uv
from pandawms.pilot.failures import failed
from pandawms.pilot.heartbeat import Vitals
from pandawms.pilot.job import Bench, JobRun
from pandawms.pilot.log import JOB_LOG, Log
from pandawms.pilot.payload import Guarded, Guards
from pandawms.pilot.stop import Stop
from pandawms.pilot.storage import storage_for
from pandawms.wire.pilot import JobSpec, WrittenFile


def run_job(
    spec: JobSpec,
    work_dir: Path,
    output_dir: Path,
    cache_dir: Path,
    stop: Stop | None = None,
    interpreters: tuple[str, ...] = (),
    uv: str | None = None,
) -> tuple[Outcome, tuple[WrittenFile, ...]]:
    """Runs `spec` by the pilot's own steps; its outputs end in `output_dir` under their local names.

    `work_dir` (absolute, not yet there) keeps the payload's folder `work` and the log's `log` for a look afterwards; the
    sandbox's url must be `file:` or `http(s):`. A `stop` lets the caller end it.
    """
    local = [dataclasses.replace(output, destination=(output_dir / output.local_name).as_uri()) for output in spec.outputs]
    guarded = Guarded(Guards(adopts_orphans=False))
    (work_dir / "log").mkdir(parents=True)
    cache_dir.mkdir(parents=True, exist_ok=True)
    log = Log(None)
    log.follow(work_dir / "log" / JOB_LOG)
    builder = Builder(cache_dir, interpreters or (base_interpreter(),), find_uv(uv), guarded)
    bench = Bench(builder, guarded, _download, log, cache_dir)
    own_stop = stop or Stop()
    try:
        run = JobRun(dataclasses.replace(spec, outputs=tuple(local)), work_dir, bench, own_stop, Vitals(), lambda phase: None)
        result = run.run()
        return result.outcome, tuple(result.outputs)
    finally:
        guarded.close()
        log.follow(None)
        if stop is None:
            own_stop.close()


def _download(url: str, target: Path, stop: Stop) -> None:
    try:
        storage_for(url).fetch(url, target, stop)
    except StorageError as error:
        raise failed(Code.SANDBOX_NOT_FETCHED, str(error)) from error
