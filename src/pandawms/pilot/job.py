"""One job's life as a row of small steps: folder, environment, program, inputs, payload, outputs.

A step that fails raises `JobFailed` with its outcome, and the steps after it do not run.
"""

from __future__ import annotations

import os
import time
import uuid
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Callable

from pandawms.domain.codes import Code
from pandawms.domain.outcome import MESSAGE_CHARACTERS, SUCCESS, Outcome, outcome, payload_outcome
from pandawms.pilot import sandbox
from pandawms.pilot.content import Content, StorageError, StorageFull
from pandawms.pilot.disk import judged, refused_by_system, shortage
from pandawms.pilot.environment import Builder
from pandawms.pilot.failures import JobFailed, Stopped, failed, failed_by_system, is_no_space
from pandawms.pilot.heartbeat import Vitals
from pandawms.pilot.kept import last_bytes
from pandawms.pilot.limits import Limits, LimitWatch
from pandawms.pilot.log import Log
from pandawms.pilot.payload import Command, Ended, Guarded, Watch
from pandawms.pilot.stop import Stop
from pandawms.pilot.storage import storage_for
from pandawms.pilot.variables import handed_on, own_devices
from pandawms.wire.pilot import InputFile, JobSpec, OutputFile, PayloadReport, Phase, StepUse, WrittenFile

_LAST_WORDS_BYTES = 1 << 14
_SHORTEST_WATCH_SECONDS = 0.1
_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
_GATE_SECONDS = 86_400.0
"""How long a job without a limit of time waits for an answer at its gate."""


@dataclass(frozen=True)
class Bench:
    """What the node gives to every job. `download` fetches a sandbox from the server."""

    builder: Builder
    guarded: Guarded
    download: sandbox.Download
    log: Log
    cache: Path
    grace_seconds: float = 10.0
    watch_seconds: float = 5.0
    keep_output_bytes: int = 64 << 20
    memory_grace: float = 2.0
    min_free_disk_mb: float = 1000.0


@dataclass
class Result:
    """What became of a job so far."""

    outcome: Outcome = SUCCESS
    outputs: list[WrittenFile] = field(default_factory=list)
    written_urls: list[str] = field(default_factory=list)
    started_at: float | None = None
    ended: Ended = field(default_factory=Ended)
    max_rss_mb: float = 0.0
    max_disk_mb: float = 0.0
    steps: list[StepUse] = field(default_factory=list)
    payloads: list[PayloadReport] = field(default_factory=list)


@dataclass(frozen=True)
class Part:
    """What makes a run one of several of a job: its name in the log, the folder of that, the environment that is built, and who hears of what it uses;
    and its place (from 0) among those `places` that run at the same time."""

    name: str
    log: Path
    environment: Path
    seen: Callable[[], None]
    place: int = 0
    places: int = 1


@dataclass(frozen=True)
class Folders:
    """A job's folders below one of its own: the payload's, its temporary one, the log's (or that of the job that it is a part of)."""

    root: Path
    log_of_job: Path | None = None

    @property
    def work(self) -> Path:
        """Where the payload runs; its HOME."""
        return self.root / "work"

    @property
    def temporary(self) -> Path:
        """The payload's TMPDIR."""
        return self.root / "tmp"

    @property
    def log(self) -> Path:
        """What is packed and uploaded at the end."""
        return self.log_of_job or self.root / "log"


class JobRun:
    """One run of one job on this node; `remaining_seconds` is what the pilot's own time leaves for the payload (None: no end)."""

    def __init__(
        self,
        spec: JobSpec,
        folder: Path,
        bench: Bench,
        stop: Stop,
        vitals: Vitals,
        on_phase: Callable[[Phase], None],
        remaining_seconds: float | None = None,
        pass_gate: Callable[[Phase, float], None] | None = None,
        part: Part | None = None,
    ) -> None:
        self.folders = Folders(folder, part.log if part else None)
        self.result = Result()
        self._spec = spec
        self._bench = bench
        self._stop = stop
        self._vitals = vitals
        self._on_phase = on_phase
        self._remaining_seconds = remaining_seconds
        self._pass_gate = pass_gate
        self._part = part
        self._environment = folder
        self._guids = {output.name: str(uuid.uuid4()) for output in spec.outputs}

    def run(self) -> Result:
        """All steps; whatever happens becomes an outcome. Outputs that are in storage stand in the result."""
        self._go_through(self._prepare, self._build, self._unpack, self._stage_in, self._execute, self._stage_out)
        if self._part is None:
            self._bench.log.info("job.ended", job_id=self._spec.job_id, outcome=vars(self.result.outcome))
        return self.result

    def get_ready(self) -> Result:
        """What comes before the first of several payloads: folders, the environment, the program in the cache, and the inputs that they share."""
        self._go_through(self._prepare, self._build, self._fetch_program, self._stage_in)
        return self.result

    @property
    def environment(self) -> Path:
        """The environment, once it is built."""
        return self._environment

    def _go_through(self, *steps: Callable[[], None]) -> None:
        try:
            for step in steps:
                if self._part is None:
                    self._bench.log.info("job.step", job_id=self._spec.job_id, step=step.__name__.lstrip("_"))
                self._stop.check()
                step()
        except JobFailed as failure:
            self.result.outcome = failure.outcome
        except OSError as error:
            self.result.outcome = refused_by_system(error, self.folders.root)
        except Exception as error:  # noqa: BLE001 (the payload's boundary: an error of the pilot itself is an outcome, too)
            self.result.outcome = outcome(Code.INTERNAL_PILOT_PROBLEM, f"{type(error).__name__}: {error}")

    def remove_outputs(self) -> None:
        """Deletes the files that this run wrote into storage, and only those."""
        for url in self.result.written_urls:
            try:
                storage_for(url).remove(url)
            except (StorageError, OSError) as error:
                self._bench.log.info("output.not_removed", job_id=self._spec.job_id, url=url, reason=str(error))
        self.result.written_urls.clear()

    def _prepare(self) -> None:
        for folder in (self.folders.work, self.folders.temporary):
            folder.mkdir(parents=True)
        lack = shortage(self.folders.root, self._bench.min_free_disk_mb)
        if lack:
            raise failed(Code.NO_LOCAL_SPACE, lack)

    def _build(self) -> None:
        if self._part is not None:
            self._environment = self._part.environment
            return
        self._environment = self._bench.builder.prepare(self._spec.environment, self.folders.log, self._stop)

    def _unpack(self) -> None:
        if self._spec.sandbox is not None:
            sandbox.install(self._spec.sandbox, self._bench.cache, self.folders.work, self._bench.download, self._stop)
        for name, content in self._spec.text_files.items():
            self._local(name).write_text(content, encoding="utf-8")

    def _fetch_program(self) -> None:
        if self._spec.sandbox is not None:
            sandbox.fetch(self._spec.sandbox, self._bench.cache, self._bench.download, self._stop)

    def _stage_in(self) -> None:
        for file in self._spec.inputs:
            self._fetch(file)

    def _fetch(self, file: InputFile) -> None:
        code, reasons = Code.REPLICA_NOT_FOUND, ["no source works"]
        for url in file.sources:
            code, reason = self._fetch_from(url, file)
            if not reason:
                return
            reasons.append(reason)
        raise failed(code, f"{file.name}: {'; '.join(reasons)}")

    def _fetch_from(self, url: str, file: InputFile) -> tuple[Code, str]:
        """What is wrong with this source; an empty reason is success."""
        try:
            content = storage_for(url).fetch(url, self._local(file.local_name), self._stop)
        except StorageError as error:
            return Code.STAGE_IN_FAILED, str(error)
        except OSError as error:
            if is_no_space(error):
                raise
            return Code.STAGE_IN_FAILED, str(error)
        wrong = _difference(file, content)
        return Code.STAGE_IN_CHECKSUM, f"{url} {wrong}" if wrong else ""

    def _at_gate(self, gate: str, phase: Phase) -> None:
        """Waits for the server's leave, where this job needs it for what comes next."""
        if self._spec.gate == gate and self._pass_gate is not None:
            self._pass_gate(phase, self._wall_limit() or _GATE_SECONDS)

    def _execute(self) -> None:
        self._at_gate("run", "running")
        self._on_phase("running")
        self._vitals.started_at = self.result.started_at = time.time()
        if not self._spec.steps:
            name = self._part.name if self._part else "payload"
            self._judge(self._run(name, self._spec.command), name)
        for n, step in enumerate(self._spec.steps, 1):
            self._stop.check()
            name = f"payload.{n}.{step.name}"
            ended = self._run(name, step.command)
            self.result.steps.append(_use(step.name, ended))
            self._bench.log.info("job.command_ended", job_id=self._spec.job_id, command=name, exit_code=ended.exit_code)
            self._judge(ended, name, f"step {step.name}: ")

    def _run(self, name: str, command: str) -> Ended:
        """Runs one command within what is left of the job's limits; the result counts all of them together."""
        before, watch = self.result.ended, self._limit_watch()
        check = Watch(lambda guard, seconds: watch.check(guard, before.wall_seconds + seconds), self._watch_seconds(before.wall_seconds))
        ended = self._bench.guarded.run(self._command(name, command), self._stop, check)
        ended = replace(ended, max_rss_mb=max(watch.max_rss_mb, ended.max_rss_mb))
        self.result.ended = _together(before, ended)
        self.result.max_rss_mb = self.result.ended.max_rss_mb
        self._vitals.cpu_seconds = self.result.ended.cpu_seconds
        return ended

    def _judge(self, ended: Ended, name: str, prefix: str = "") -> None:
        if ended.stopped is not None:
            raise Stopped(_said(prefix, ended.stopped))
        ending = payload_outcome(ended.exit_code, ended.signal, self._last_words(ended, name))
        if ended.failure:
            ending = outcome(Code.PAYLOAD_EXCEPTION, ended.failure)
        ending = judged(ending, self.folders.work, self._bench.min_free_disk_mb, ended.lost_output)
        if not ending.is_success:
            raise JobFailed(_said(prefix, ending))

    def _stage_out(self) -> None:
        self._at_gate("store", "stage_out")
        self._on_phase("stage_out")
        present = [output for output in self._spec.outputs if self._exists(output)]
        for output in present:
            self._store(output)

    def _exists(self, output: OutputFile) -> bool:
        if self._local(output.local_name).is_file():
            return True
        if output.optional:
            return False
        raise failed(Code.MISSING_OUTPUT, f"the payload did not write {output.local_name}")

    def _store(self, output: OutputFile) -> None:
        try:
            content = storage_for(output.destination).store(self._local(output.local_name), output.destination, self._spec.claim_id, self._stop)
        except StorageError as error:
            code = Code.NO_REMOTE_SPACE if isinstance(error, StorageFull) else Code.STAGE_OUT_FAILED
            raise failed(code, f"{output.name}: {error}") from error
        except OSError as error:
            if is_no_space(error):
                raise failed(Code.NO_REMOTE_SPACE, f"no room for {output.destination}: {error.strerror}") from error
            raise failed_by_system(error, Code.STAGE_OUT_FAILED) from error
        self.result.written_urls.append(output.destination)
        self.result.outputs.append(
            WrittenFile(
                stream=output.stream,
                name=output.name,
                size_bytes=content.size_bytes,
                adler32=content.adler32,
                guid=self._guids[output.name],
            )
        )

    def _local(self, name: str) -> Path:
        """A path in the work folder, with its folder made; raises `JobFailed` for one that leaves it."""
        path = self.folders.work / name
        if Path(name).is_absolute() or ".." in Path(name).parts or not name:
            raise failed(Code.BAD_JOB, f"{name!r} is no path inside the work folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _limit_watch(self) -> LimitWatch:
        resources = self._spec.resources
        limits = Limits(
            wall_seconds=self._wall_limit(),
            memory_mb=resources.memory_mb * self._bench.memory_grace,
            asked_memory_mb=resources.memory_mb,
            disk_mb=resources.disk_mb,
            min_free_disk_mb=self._bench.min_free_disk_mb,
        )
        return LimitWatch(limits, self.folders.root, self._seen)

    def _wall_limit(self) -> float:
        known = [limit for limit in (self._spec.resources.wall_seconds, self._remaining_seconds) if limit]
        return float(min(known)) if known else 0.0

    def _watch_seconds(self, used_seconds: float) -> float:
        wall_limit = self._wall_limit()
        return min(self._bench.watch_seconds, max(_SHORTEST_WATCH_SECONDS, wall_limit - used_seconds)) if wall_limit else self._bench.watch_seconds

    def _seen(self, cpu_seconds: float, max_rss_mb: float, disk_mb: float) -> None:
        self._vitals.cpu_seconds = self.result.ended.cpu_seconds + cpu_seconds
        self._vitals.max_rss_mb = max(self.result.max_rss_mb, max_rss_mb)
        self._vitals.disk_mb = disk_mb
        self.result.max_disk_mb = max(self.result.max_disk_mb, disk_mb)
        if self._part is not None:
            self._part.seen()

    def _command(self, name: str, command: str) -> Command:
        return Command(
            argv=("/bin/sh", "-c", command),
            folder=self.folders.work,
            variables=self._variables(),
            stdout=self.folders.log / f"{name}.stdout",
            stderr=self.folders.log / f"{name}.stderr",
            keep_bytes=self._bench.keep_output_bytes,
            grace_seconds=self._bench.grace_seconds,
        )

    def _variables(self) -> dict[str, str]:
        """The payload's whole environment; little of it is the pilot's own."""
        spec = self._spec
        variables = handed_on(os.environ, spec.resources.nodes)
        if self._part is not None:
            variables = own_devices(variables, spec.resources.gpus, self._part.place, self._part.places)
        variables.update(
            PATH=f"{self._environment / 'bin'}:{_SYSTEM_PATH}",
            VIRTUAL_ENV=str(self._environment),
            HOME=str(self.folders.work),
            TMPDIR=str(self.folders.temporary),
            OMP_NUM_THREADS=str(spec.resources.cores),
            PANDA_JOB_ID=str(spec.job_id),
            PANDA_TASK_ID=str(spec.task_id),
            PANDA_ATTEMPT=str(spec.attempt),
            PANDA_CORES=str(spec.resources.cores),
            PANDA_NODES=str(spec.resources.nodes),
            PANDA_GPUS=str(spec.resources.gpus),
        )
        variables.update(spec.environment.variables)
        return variables

    def _last_words(self, ended: Ended, name: str) -> str:
        path = self.folders.log / f"{name}.stderr"
        said = last_bytes(path, _LAST_WORDS_BYTES, ended.kept.get(path.name))
        return said.decode("utf-8", "replace").strip()[-MESSAGE_CHARACTERS:]


def _said(prefix: str, ending: Outcome) -> Outcome:
    return replace(ending, message=f"{prefix}{ending.message}"[:MESSAGE_CHARACTERS]) if prefix else ending


def _together(one: Ended, other: Ended) -> Ended:
    """The latter's end, with what both used and wrote."""
    return replace(
        other,
        wall_seconds=one.wall_seconds + other.wall_seconds,
        cpu_seconds=one.cpu_seconds + other.cpu_seconds,
        max_rss_mb=max(one.max_rss_mb, other.max_rss_mb),
        kept={**one.kept, **other.kept},
    )


def _use(name: str, ended: Ended) -> StepUse:
    return StepUse(name, ended.exit_code, round(ended.wall_seconds, 3), round(ended.cpu_seconds, 3), round(ended.max_rss_mb, 1))


def _difference(file: InputFile, found: Content) -> str:
    if file.size_bytes >= 0 and file.size_bytes != found.size_bytes:
        return f"has {found.size_bytes} bytes, not {file.size_bytes}"
    if file.adler32 and file.adler32.lower() != found.adler32:
        return f"has adler32 {found.adler32}, not {file.adler32}"
    return ""
