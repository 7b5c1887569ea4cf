"""`submit --try`: the first job of a task at once on this machine, through the pilot's own code, before anything is queued."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pandawms.cli.escaping import one_line
from pandawms.cli.exit_codes import ExitCode
from pandawms.domain.errors import Invalid, Unavailable
from pandawms.wire.pilot import Environment, InputFile, JobSpec, OutputFile, Resources, Sandbox
from pandawms.wire.placeholders import Values, expand
from pandawms.wire.task import InputSpec, TaskDocument

if TYPE_CHECKING:
    from pandawms.cli.session import Session
    from pandawms.cli.task_files import TaskFile
    from pandawms.domain.outcome import Outcome


@dataclass(frozen=True, slots=True)
class _Trial:
    spec: JobSpec
    folder: Path


def try_first_job(file: TaskFile, session: Session) -> int:
    """Runs the first job and tells how it ended and where its outputs and logs are; exit code 1 when it failed."""
    if session.try_job is None:
        raise Unavailable("this program has no pilot", code="no_pilot", hint="use the panda command as it was installed")
    folder = Path(tempfile.mkdtemp(prefix=f"panda-try-{file.document.name}-"))
    spec = first_job(file, session, folder)
    session.terminal.note(f"trying {spec.command}")
    (folder / "outputs").mkdir()
    outcome, outputs = session.try_job(spec, folder / "job", folder / "outputs", session.cache_dir)
    if session.terminal.as_json:
        session.terminal.json({"outcome": outcome, "command": spec.command, "folder": str(folder), "outputs": list(outputs)})
    else:
        _show(outcome, folder, session)
    return ExitCode.OK if outcome.is_success else ExitCode.FAILED


def first_job(file: TaskFile, session: Session, folder: Path) -> JobSpec:
    """The first job of a task as a pilot would get it, its inputs and its sandbox as files of this machine."""
    document = file.document
    stream, spec = next(iter(document.inputs.items()))
    inputs = {} if spec.count is not None else {stream: _input_files(file, stream, spec, session, folder)}
    values = Values(
        numbers=_numbers(document, spec),
        inputs={name: [path.name for path in paths] for name, paths in inputs.items()},
        outputs=document.outputs,
    )
    expanded = expand(document.program.command, values)
    environment = document.environment
    resources = document.resources
    return JobSpec(
        job_id=0,
        task_id=0,
        attempt=1,
        claim_id="try",
        command=expanded.command,
        task_name=document.name,
        environment=Environment(environment.python or "", environment.packages, dict(environment.variables)),
        sandbox=_sandbox(file, folder),
        resources=Resources(resources.cores, resources.memory_mb, resources.disk_mb, resources.wall_seconds),
        inputs=_staged(inputs),
        outputs=tuple(OutputFile(name, local, local, "") for name, local in document.outputs.items()),
        text_files=dict(expanded.text_files),
    )


def _numbers(document: TaskDocument, spec: InputSpec) -> Mapping[str, int]:
    numbers = {"SEED": 1, "SERIAL": 1, "ATTEMPT": 1, "JOB_ID": 0, "TASK_ID": 0, "CORES": document.resources.cores}
    if spec.count is not None:
        events = min(spec.count, document.split.events_per_job or spec.count)
        numbers |= {"EVENTS": events, "FIRST_EVENT": spec.first_event}
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


def _input_files(file: TaskFile, stream: str, spec: InputSpec, session: Session, folder: Path) -> list[Path]:
    from pandawms.client.prepare import listed_files

    n_files = file.document.split.files_per_job or 1
    if spec.files is not None:
        return list(listed_files(file.folder, spec.files, f"inputs.{stream}.files")[:n_files])
    with _dataset_folder(folder) as target, session.client() as client:
        dataset = spec.dataset or _output_dataset(spec, session)
        files = [found for _, found in zip(range(n_files), client.datasets.files(dataset, limit=n_files), strict=False)]
        if not files:
            raise Invalid(
                f"{dataset} has no files yet",
                code="empty_input",
                field=f"inputs.{stream}",
                value=dataset,
                hint="try again when its producer has made some",
            )
        for found in files:
            client.files.download(found, target / found.name)
        return [target / found.name for found in files]


@contextmanager
def _dataset_folder(folder: Path) -> Iterator[Path]:
    target = folder / "inputs"
    target.mkdir()
    yield target


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


def _show(outcome: Outcome, folder: Path, session: Session) -> None:
    terminal = session.terminal
    if outcome.is_success:
        terminal.line(f"ok: the first job succeeded; its outputs are in {folder / 'outputs'}, its logs in {folder / 'job/log'}")
        return
    terminal.line(f"failed: {outcome.name}: {one_line(outcome.message)}; logs are in {folder / 'job/log'}")
    errors = folder / "job/log/payload.stderr"
    if errors.is_file():
        for line in errors.read_text(errors="replace").splitlines()[-20:]:
            terminal.note(f"| {line}")
