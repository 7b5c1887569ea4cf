"""Turns leased jobs into what their pilots must know: the task's template, the job's own numbers and its files. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from pandawms.domain.clone import GATES, CloneMode
from pandawms.domain.job import seed
from pandawms.engine.blueprints import MOST, Blueprint, Output
from pandawms.plugins.data_manager import DataManager
from pandawms.store.builds import Library
from pandawms.store.jobs import Input, Spec
from pandawms.store.leases import Given, RequirementRow
from pandawms.wire import placeholders
from pandawms.wire.document import TaskDocument
from pandawms.wire.document_view import BUILD
from pandawms.wire.pilot import claim as wire


@dataclass(frozen=True, slots=True)
class Roots:
    """The roots of the endpoints that a queue reads (nearest first), and those of all endpoints by id."""

    read: Sequence[str]
    endpoints: Mapping[int, str]


def spec(given: Given, job: Spec, blueprint: Blueprint, needs: RequirementRow, roots: Roots, manager: DataManager,
         library: Library | None = None) -> wire.JobSpec:  # fmt: skip
    """Returns the job as its pilot gets it, with the command's placeholders replaced; `library` is what the task's build made for this queue."""
    written = blueprint.outputs(job.kind, job.serial, given.attempt, job.copy or 1)
    root = roots.endpoints[job.endpoint_id] if written and job.endpoint_id is not None else ""
    inputs = tuple([input_file(file, roots, manager) for file in job.inputs])
    if blueprint.needs_library(job.kind):
        inputs = (*inputs, library_file(library, roots, manager))
    outputs = tuple([output_file(output, root, manager) for output in written])
    number = seed(given.task_id, job.serial, blueprint.document.split.seed_offset)
    beside = {file.stream: file.local_name for file in inputs[len(job.inputs) :]}
    resources = resources_of(needs)
    values = values_of(given, job, number, resources, outputs, file_streams(blueprint, job.kind), beside)
    work = blueprint.work(job.kind)
    expanded = placeholders.expand(work.command, values)
    steps = tuple([wire.Step(name, placeholders.expand(command, values).command) for name, command in work.steps]) if work.steps else ()
    frame = frame_of(blueprint)
    return wire.JobSpec(
        job_id=job.job_id, task_id=given.task_id, task_name=blueprint.task_name, kind=job.kind, attempt=given.attempt, claim_id=given.claim_id,
        command=expanded.command, text_files=dict(expanded.text_files), environment=frame.environment, sandbox=frame.sandbox,
        resources=resources, inputs=inputs, outputs=outputs,
        traits=wire.Traits(job.first_event, job.n_events, number, job.serial), steps=steps, gate=_gate(job, blueprint),
    )  # fmt: skip


def resources_of(needs: RequirementRow) -> wire.Resources:
    """Returns what a job may use."""
    return wire.Resources(needs.cores, needs.memory_mb, needs.disk_mb, needs.wall_seconds, needs.nodes, needs.gpus)


def _gate(job: Spec, blueprint: Blueprint) -> str | None:
    cloning = blueprint.document.cloning
    return GATES[CloneMode(cloning.mode)] if cloning is not None and job.copy is not None else None


def input_file(file: Input, roots: Roots, manager: DataManager) -> wire.InputFile:
    """Returns a file as its pilot is told of it, with the urls at which its queue reads."""
    return wire.InputFile(
        stream=file.stream, scope=file.scope, name=file.name, local_name=file.name, size_bytes=file.size_bytes, adler32=file.adler32.hex(),
        guid=str(file.guid), events=file.events, sources=tuple([manager.url(root, file.scope, file.name) for root in roots.read]),
    )  # fmt: skip


def library_file(file: Library | None, roots: Roots, manager: DataManager) -> wire.InputFile:
    """The library of a queue as an input: where its nodes read first, then where it was written. One that is gone has no source: its job fails and says so."""
    if file is None:
        return wire.InputFile(BUILD, BUILD, BUILD, ())
    own = roots.endpoints.get(file.endpoint_id) if file.endpoint_id is not None else None
    sources = dict.fromkeys(manager.url(root, file.scope, file.name) for root in (*roots.read, own) if root is not None)
    return wire.InputFile(
        stream=BUILD, scope=file.scope, name=file.name, local_name=file.name, size_bytes=file.size_bytes, adler32=file.adler32.hex(), guid=str(file.guid),
        sources=tuple(sources),
    )  # fmt: skip


def output_file(output: Output, root: str, manager: DataManager) -> wire.OutputFile:
    """Returns an output with the url where it belongs."""
    scope = output.target.scope
    return wire.OutputFile(stream=output.stream, scope=scope, name=output.name, local_name=output.local_name, destination=manager.url(root, scope, output.name))


def file_streams(blueprint: Blueprint, kind: str) -> dict[str, list[str]]:
    """The inputs of run jobs that are files, in the order of the document: one of which a job has none has an empty list."""
    if kind != "run":
        return {}
    return {stream: [] for stream, spec in blueprint.document.inputs.items() if not spec.is_numbered}


def values_of(given: Given, job: Spec, number: int, needs: wire.Resources, outputs: Sequence[wire.OutputFile],
              streams: dict[str, list[str]], beside: Mapping[str, str]) -> placeholders.Values:  # fmt: skip
    """Returns what a command's placeholders stand for."""
    numbers = {
        "SEED": number, "SERIAL": job.serial, "ATTEMPT": given.attempt, "JOB_ID": job.job_id, "TASK_ID": given.task_id, "CORES": needs.cores,
        "NODES": needs.nodes, "GPUS": needs.gpus,
    }  # fmt: skip
    if job.first_event is not None and job.n_events is not None:
        numbers |= {"EVENTS": job.n_events, "FIRST_EVENT": job.first_event}
    for file in job.inputs:
        streams.setdefault(file.stream, []).append(file.name)
    return placeholders.Values(numbers, streams, {file.stream: file.local_name for file in outputs}, beside)


def environment(document: TaskDocument) -> wire.Environment:
    """Returns the payload's environment as the pilot builds it."""
    wanted = document.environment
    return wire.Environment(wanted.python or "", wanted.packages, dict(wanted.variables))


class Frame(NamedTuple):
    """What all jobs of a task have in common."""

    environment: wire.Environment
    sandbox: wire.Sandbox | None


@lru_cache(maxsize=MOST)
def frame_of(blueprint: Blueprint) -> Frame:
    """Returns what all jobs of this version of a task have in common."""
    digest = blueprint.document.program.sandbox
    return Frame(environment(blueprint.document), wire.Sandbox(digest, -1, f"/api/v2/sandboxes/{digest}") if digest else None)
