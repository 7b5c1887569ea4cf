"""Turns leased jobs into what their pilots must know: the task's template, the job's own delta and its files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pandawms.plugins.data_manager import DataManager
from pandawms.store.jobs import JobFile, Resolved
from pandawms.wire import placeholders
from pandawms.wire.pilot import claim as wire
from pandawms.wire.task import TaskDocument


@dataclass(frozen=True, slots=True)
class Roots:
    """The roots of the endpoints that a queue reads (nearest first), and those of all endpoints by id."""

    read: Sequence[str]
    endpoints: Mapping[int, str]


def spec(job: Resolved, document: TaskDocument, files: Sequence[JobFile], roots: Roots, manager: DataManager) -> wire.JobSpec:
    """Returns the job as its pilot gets it, with the command's placeholders replaced."""
    inputs = tuple(_input(file, roots, manager) for file in files if file.role == "input" and file.file_id is not None)
    outputs = tuple(
        _output(file, _streams(job, document)[file.stream], roots.endpoints[job.delta["endpoint_id"]], manager) for file in files if file.role == "output"
    )
    expanded = placeholders.expand(_command(job, document), _values(job, inputs, outputs))
    return wire.JobSpec(
        job_id=job.job_id, task_id=job.task_id, task_name=job.task_name, kind=job.kind, attempt=job.attempt, claim_id=job.claim_id.hex,
        command=expanded.command, text_files=dict(expanded.text_files), environment=environment(document), sandbox=_sandbox(document),
        resources=wire.Resources(job.cores, job.memory_mb, job.disk_mb, job.wall_seconds), inputs=inputs, outputs=outputs,
        traits=wire.Traits(job.delta.get("first_event"), job.delta.get("n_events"), job.delta.get("seed"), job.delta.get("serial")),
    )  # fmt: skip


def _command(job: Resolved, document: TaskDocument) -> str:
    if job.kind == "merge" and document.merge is not None:
        return document.merge.command
    return document.program.command


def _streams(job: Resolved, document: TaskDocument) -> Mapping[str, str]:
    if job.kind == "merge" and document.merge is not None:
        return document.merge.outputs
    return document.outputs


def _input(file: JobFile, roots: Roots, manager: DataManager) -> wire.InputFile:
    name, scope = file.name or "", file.scope or ""
    return wire.InputFile(
        stream=file.stream, scope=scope, name=name, local_name=name, size_bytes=file.size_bytes or 0, adler32=(file.adler32 or b"").hex(),
        guid=str(file.guid), events=file.events, sources=tuple(manager.url(root, scope, name) for root in roots.read),
    )  # fmt: skip


def _output(file: JobFile, local_name: str, root: str, manager: DataManager) -> wire.OutputFile:
    name, scope = file.name or "", file.scope or ""
    return wire.OutputFile(stream=file.stream, scope=scope, name=name, local_name=local_name, destination=manager.url(root, scope, name))


def _values(job: Resolved, inputs: Sequence[wire.InputFile], outputs: Sequence[wire.OutputFile]) -> placeholders.Values:
    numbers = {
        "SEED": job.delta["seed"], "SERIAL": job.delta["serial"], "ATTEMPT": job.attempt, "JOB_ID": job.job_id, "TASK_ID": job.task_id, "CORES": job.cores,
    }  # fmt: skip
    if "first_event" in job.delta:
        numbers |= {"EVENTS": job.delta["n_events"], "FIRST_EVENT": job.delta["first_event"]}
    streams: dict[str, list[str]] = {}
    for file in inputs:
        streams.setdefault(file.stream, []).append(file.local_name)
    return placeholders.Values(numbers, streams, {file.stream: file.local_name for file in outputs})


def environment(document: TaskDocument) -> wire.Environment:
    """Returns the payload's environment as the pilot builds it."""
    wanted = document.environment
    return wire.Environment(wanted.python or "", wanted.packages, dict(wanted.variables))


def _sandbox(document: TaskDocument) -> wire.Sandbox | None:
    digest = document.program.sandbox
    return (digest and wire.Sandbox(digest, -1, f"/api/v2/sandboxes/{digest}")) or None
