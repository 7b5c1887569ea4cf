"""`submit --try`: the first job of a task at once on this machine, through the pilot's own code, before anything is queued."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from pandawms.cli.escaping import one_line
from pandawms.cli.exit_codes import ExitCode
from pandawms.domain.errors import Invalid, Unavailable
from pandawms.wire.document import BuildSpec, InputSpec, TaskDocument
from pandawms.wire.document_view import BUILD, datasets, event_chunk, has_payloads, most_units, output_files, primary, program_command, secondaries
from pandawms.wire.pilot import Each, Environment, InputFile, JobSpec, OutputFile, Resources, Sandbox
from pandawms.wire.placeholders import Values, expand
from pandawms.wire.selection import Candidate, selected

if TYPE_CHECKING:
    from pandawms.cli.session import Session
    from pandawms.cli.task_files import TaskFile
    from pandawms.domain.outcome import Outcome
    from pandawms.wire.pilot import WrittenFile


MOST_FILES = 10_000
"""Files of an input that are looked at to choose those of the first job."""


def try_first_job(file: TaskFile, session: Session) -> int:
    """Runs the first job and tells how it ended and where its outputs and logs are; exit code 1 when it failed."""
    if session.try_job is None:
        raise Unavailable("this program has no pilot", code="no_pilot", hint="use the panda command as it was installed")
    folder = Path(tempfile.mkdtemp(prefix=f"panda-try-{file.document.name}-"))
    (folder / "outputs").mkdir()
    sandbox = _sandbox(file, folder)
    library: Path | None = None
    if file.document.build is not None:
        spec, library = _build_job(file.document, file.document.build, sandbox), folder / file.document.build.output
        session.terminal.note(f"building {spec.command}")
        outcome, outputs = session.try_job(spec, folder / "build", folder, session.cache_dir)
        if not outcome.is_success:
            return _tell(outcome, outputs, spec, folder, "build", session)
    spec = first_job(file, session, folder, sandbox, library)
    session.terminal.note(f"trying {spec.command}")
    outcome, outputs = session.try_job(spec, folder / "job", folder / "outputs", session.cache_dir)
    return _tell(outcome, outputs, spec, folder, "job", session)


def _tell(outcome: Outcome, outputs: Sequence[WrittenFile], spec: JobSpec, folder: Path, name: str, session: Session) -> int:
    if session.terminal.as_json:
        session.terminal.json({"outcome": outcome, "command": spec.command, "folder": str(folder), "outputs": list(outputs)})
    else:
        _show(outcome, folder, name, session)
    return ExitCode.OK if outcome.is_success else ExitCode.FAILED


def _build_job(document: TaskDocument, build: BuildSpec, sandbox: Sandbox | None) -> JobSpec:
    """The build of a task as a pilot would get it."""
    needs = document.resources
    resources = Resources(needs.cores, build.memory_mb, needs.disk_mb, build.wall_seconds)  # one node and no GPU, whatever the other jobs have
    values = Values(numbers=_numbers(document, resources), outputs={BUILD: build.output})
    return JobSpec(
        job_id=0,
        task_id=0,
        attempt=1,
        claim_id="try",
        command=expand(build.command, values).command,
        task_name=document.name,
        kind=BUILD,
        environment=_environment(document),
        sandbox=sandbox,
        resources=resources,
        outputs=(OutputFile(BUILD, build.output, build.output, ""),),
    )


def _environment(document: TaskDocument) -> Environment:
    environment = document.environment
    return Environment(environment.python or "", environment.packages, dict(environment.variables))


def first_job(file: TaskFile, session: Session, folder: Path, sandbox: Sandbox | None, library: Path | None) -> JobSpec:
    """The first job of a task as a pilot would get it, its inputs, its sandbox and what was built as files of this machine; of several payloads the first."""
    document = file.document
    inputs, n_units = _inputs(file, session, folder)
    resources = _resources(document, n_units)
    built = {BUILD: [library]} if library is not None else {}
    values = Values(
        numbers=_numbers(document, resources),
        inputs={name: [path.name for path in paths] for name, paths in inputs.items()},
        outputs=output_files(document),
        beside={name: paths[0].name for name, paths in built.items()},
    )
    expanded = expand(program_command(document), values)
    return JobSpec(
        job_id=0,
        task_id=0,
        attempt=1,
        claim_id="try",
        command=expanded.command,
        task_name=document.name,
        environment=_environment(document),
        sandbox=sandbox,
        resources=resources,
        inputs=_staged({**inputs, **built}),
        outputs=tuple(OutputFile(name, local, local, "") for name, local in output_files(document).items()),
        text_files=dict(expanded.text_files),
    )


def _resources(document: TaskDocument, n_units: int) -> Resources:
    """What the first job may use; of several payloads its part, with the time of one, as their pilot divides it."""
    need, each = document.resources, document.program.each
    whole = Resources(need.cores, need.memory_mb, need.disk_mb, need.wall_seconds, need.nodes, need.gpus)
    if each is None:
        return whole
    return replace(whole.part(Each(each.at_once).width(n_units)), wall_seconds=each.wall_seconds or need.wall_seconds)


def _numbers(document: TaskDocument, need: Resources) -> Mapping[str, int]:
    spec, split = primary(document)[1], document.split
    numbers = {"SEED": 1 + split.seed_offset, "SERIAL": split.first_serial, "ATTEMPT": 1, "JOB_ID": 0, "TASK_ID": 0}
    numbers |= {"CORES": need.cores, "NODES": need.nodes, "GPUS": need.gpus}
    if spec.count is not None:
        numbers |= {"EVENTS": min(spec.count, event_chunk(document) or spec.count), "FIRST_EVENT": spec.first_event}
    elif split.events_per_job is not None:
        numbers |= {"EVENTS": min(split.events_per_job, spec.events_per_file or split.events_per_job), "FIRST_EVENT": 0}
    return numbers


def _staged(inputs: Mapping[str, list[Path]]) -> tuple[InputFile, ...]:
    return tuple(
        InputFile(stream=stream, name=path.name, local_name=path.name, sources=(path.resolve().as_uri(),)) for stream, paths in inputs.items() for path in paths
    )


def _sandbox(file: TaskFile, folder: Path) -> Sandbox | None:
    from pandawms.client.sandbox import pack

    if not file.document.program.files:
        return None
    packed = pack(file.folder, file.document.program.files)
    path = folder / "sandbox.tar.gz"
    path.write_bytes(packed.content)
    return Sandbox(packed.sha256, len(packed.content), path.as_uri())


def _inputs(file: TaskFile, session: Session, folder: Path) -> tuple[dict[str, list[Path]], int]:
    """The files of the first job by input, on this machine, and how many units the job has: of several payloads only the file of the first is needed."""
    document = file.document
    stream, spec = primary(document)
    n_units = most_units(spec, document.split) if has_payloads(document) else document.split.files_per_job or 1
    found: dict[str, list[Path]] = {}
    if not spec.is_numbered:
        source = _source(file, stream, spec, session)
        chosen = _chosen(source, spec, stream, n_units)
        n_units = len(chosen)
        found[stream] = source.bring(chosen[:1] if has_payloads(document) else chosen, folder / "inputs" / stream)
    elif spec.pieces is not None:
        n_units = min(n_units, spec.pieces)
    for name, other in secondaries(document).items():
        source = _source(file, name, other, session)
        wanted = MOST_FILES if other.whole else other.per_job or ceil((other.ratio or 1) * n_units)
        found[name] = source.bring(_chosen(source, other, name, wanted), folder / "inputs" / name)
    return found, n_units


@dataclass(frozen=True)
class _Source:
    """The files of an input, and how some of them, by name, come to this machine: into a folder, where they are elsewhere."""

    candidates: Sequence[Candidate]
    bring: Callable[[Sequence[str], Path], list[Path]]


def _source(file: TaskFile, stream: str, spec: InputSpec, session: Session) -> _Source:
    from pandawms.client.prepare import listed_files

    if spec.files is not None:
        paths = {path.name: path for path in listed_files(file.folder, spec.files, f"inputs.{stream}.files")}
        return _Source([Candidate(name, path.stat().st_size) for name, path in paths.items()], lambda chosen, _: [paths[name] for name in chosen])
    with session.client() as client:
        names = datasets(spec) or (_output_dataset(spec, session),)
        known = {found.name: found for name in reversed(names) for found in islice(client.datasets.files(name), MOST_FILES)}

    def fetched(chosen: Sequence[str], folder: Path) -> list[Path]:
        folder.mkdir(parents=True)
        with session.client() as client:
            for name in chosen:
                client.files.download(known[name], folder / name)
        return [folder / name for name in chosen]

    return _Source([Candidate(name, found.size_bytes or 0, found.n_events) for name, found in known.items()], fetched)


def _chosen(source: _Source, spec: InputSpec, stream: str, n_files: int) -> list[str]:
    chosen = [each.name for each in selected(source.candidates, spec)[:n_files]]
    if not chosen and not spec.may_be_empty:
        raise Invalid(
            f"input {stream} has no files yet that the task may take",
            code="empty_input",
            field=f"inputs.{stream}",
            value=", ".join(spec.files or datasets(spec)) or None,
            hint="try again when its producer has made some",
        )
    return chosen


def _output_dataset(spec: InputSpec, session: Session) -> str:
    with session.client() as client:
        outputs = {output.stream: output.dataset for output in client.tasks.outputs(spec.task or "")}
    if spec.output not in outputs:
        raise Invalid(
            f"task {spec.task} has no output {spec.output}",
            code="unknown_output",
            field="inputs",
            value=spec.output,
            allowed=", ".join(outputs),
            hint="name one of its outputs",
        )
    return outputs[spec.output]


def _show(outcome: Outcome, folder: Path, name: str, session: Session) -> None:
    terminal = session.terminal
    if outcome.is_success:
        terminal.line(f"ok: the first job succeeded; its outputs are in {folder / 'outputs'}, its logs in {folder / 'job/log'}")
        return
    terminal.line(f"failed: {outcome.name}: {one_line(outcome.message)}; logs are in {folder / name / 'log'}")
    errors = folder / name / "log/payload.stderr"
    if errors.is_file():
        for line in errors.read_text(errors="replace").splitlines()[-20:]:
            terminal.note(f"| {line}")
