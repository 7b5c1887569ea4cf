"""Turns a leased job of several payloads into what its pilot must know: a command, inputs and outputs for each unit. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pandawms.domain.job import seed
from pandawms.engine.blueprints import Blueprint
from pandawms.engine.dispatch.resolve import Roots, file_streams, frame_of, input_file, library_file, output_file, resources_of, values_of
from pandawms.plugins.data_manager import DataManager
from pandawms.store.builds import Library
from pandawms.store.jobs import Input, Spec
from pandawms.store.leases import Given, RequirementRow
from pandawms.store.payloads import PayloadUnit
from pandawms.wire import placeholders
from pandawms.wire.document_view import primary
from pandawms.wire.pilot import claim as wire

TOO_OLD = "echo 'this pilot does not know jobs of several payloads: update it' >&2; exit 78"
"""What a pilot runs that does not know payloads; the server knows a report without any (EX_CONFIG of sysexits)."""


@dataclass(frozen=True, slots=True)
class _Shared:
    """What all payloads of a job have in common; `resources` are the part of each."""

    given: Given
    job: Spec
    blueprint: Blueprint
    resources: wire.Resources
    roots: Roots
    manager: DataManager
    beside: dict[str, str]


def spec(given: Given, job: Spec, units: Sequence[PayloadUnit], blueprint: Blueprint, needs: RequirementRow, roots: Roots, manager: DataManager,
         library: Library | None = None) -> wire.JobSpec:  # fmt: skip
    """Returns the job as its pilot gets it: inputs that all payloads share with the job, what is a payload's own with that."""
    each = blueprint.document.program.each
    assert each is not None, "asked for a job of several payloads"
    stream = primary(blueprint.document)[0]
    along = [file for file in job.inputs if file.stream != stream]
    inputs = tuple([input_file(file, roots, manager) for file in along])
    beside = {}
    if blueprint.needs_library(job.kind):
        inputs = (*inputs, library_file(library, roots, manager))
        beside = {inputs[-1].stream: inputs[-1].local_name}
    how = wire.Each(each.at_once, each.wall_seconds or 0, each.stop_after_failures or 0)
    how, resources = replace(how, at_once=how.width(len(units))), resources_of(needs)
    shared = _Shared(given, replace(job, inputs=along), blueprint, resources.part(how.at_once), roots, manager, beside)
    frame = frame_of(blueprint)
    return wire.JobSpec(
        job_id=job.job_id, task_id=given.task_id, task_name=blueprint.task_name, kind=job.kind, attempt=given.attempt, claim_id=given.claim_id,
        command=TOO_OLD, environment=frame.environment, sandbox=frame.sandbox,
        resources=resources, inputs=inputs,
        traits=wire.Traits(serial=job.serial), payloads=tuple([_payload(shared, unit) for unit in units]),
        each=how,
    )  # fmt: skip


def _payload(shared: _Shared, unit: PayloadUnit) -> wire.Payload:
    blueprint, job = shared.blueprint, shared.job
    serial = blueprint.serial_of_unit(unit.number)
    written = blueprint.outputs(job.kind, serial, unit.attempt)
    root = shared.roots.endpoints[job.endpoint_id] if written and job.endpoint_id is not None else ""
    outputs = tuple([output_file(output, root, shared.manager) for output in written])
    number = seed(shared.given.task_id, serial, blueprint.document.split.seed_offset)
    own = _file(unit)
    alone = replace(job, serial=serial, first_event=unit.first_event, n_events=unit.n_events, inputs=[*own, *job.inputs])
    values = values_of(shared.given._replace(attempt=unit.attempt), alone, number, shared.resources, outputs, file_streams(blueprint, job.kind), shared.beside)
    expanded = placeholders.expand(blueprint.work(job.kind).command, values)
    return wire.Payload(
        unit.n, expanded.command, tuple([input_file(file, shared.roots, shared.manager) for file in own]), outputs, dict(expanded.text_files),
        wire.Traits(unit.first_event, unit.n_events, number, serial),
    )  # fmt: skip


def _file(unit: PayloadUnit) -> list[Input]:
    """The file of a unit; a numbered piece has none."""
    if unit.scope is None or unit.name is None or unit.adler32 is None or unit.guid is None:
        return []
    return [Input(unit.stream, unit.scope, unit.name, unit.size_bytes or 0, unit.adler32, unit.guid, unit.events)]
