"""From what a user asks for, what was learned and what was ordered, to what a job needs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from math import ceil
from typing import Any

import msgspec

from pandawms.domain.gpu import ANY_MODEL
from pandawms.domain.snapshot import JobKind, Requirement
from pandawms.wire.document import ResourceSpec, TaskDocument


@dataclass(frozen=True, slots=True)
class Effective:
    """What a job of a task is to have: asked for, learned, ordered, raised for its inputs.

    `memory_mb`, `disk_mb` and `wall_seconds` are for a whole job and hold whatever its size is; the rates per event and per MB of input say what a job of a
    known size needs beyond that (None: not known). `base_seconds` and `base_memory_mb` are the part that does not grow with the input or the cores, `work_mb`
    the disk that a job takes beside its inputs and outputs.
    """

    cores: int = 1
    memory_mb: int = 1000
    disk_mb: int = 1000
    wall_seconds: int = 3600
    architecture: str = "any"
    gpus: int = 0
    nodes: int = 1
    gpu_model: str = ANY_MODEL
    gpu_memory_mb: int = 0
    base_seconds: int = 0
    base_memory_mb: int = 0
    wall_seconds_per_event: float | None = None
    wall_seconds_per_mb: float | None = None
    output_mb_per_event: float | None = None
    output_mb_per_input_mb: float | None = None
    work_mb: int | None = None
    is_fixed: bool = False


NAMES = frozenset(field.name for field in fields(Effective))
LEARNABLE = NAMES - {"nodes", "cores", "architecture", "gpus", "gpu_model", "gpu_memory_mb", "base_seconds", "base_memory_mb", "is_fixed"}
"""What measurements may change; the rest is only asked for or ordered."""


def effective(asked: ResourceSpec, learned: Mapping[str, Any] | None = None, ordered: Mapping[str, Any] | None = None, unit_memory_mb: int | None = None,
              kind: JobKind = JobKind.RUN, unit_wall_seconds: int | None = None) -> Effective:  # fmt: skip
    """Returns what a job is to have: the document's resources, replaced by what was learned, then by what a command ordered, then raised for its inputs.

    `learned` and `ordered` are the columns of the task (keys are names of Effective; others, and nulls, are passed over), `unit_memory_mb` and
    `unit_wall_seconds` are the largest raises among the job's units. Where the document says `is_fixed`, only an order and the memory of a unit change it
    (semantics 3.9). Merge jobs learn from merge jobs (keys `merge_memory_mb`, `merge_wall_seconds`), the others never do.
    """
    base = _known(msgspec.structs.asdict(asked), NAMES)
    if not base.get("is_fixed"):
        base |= _known(_of_kind(learned or {}, kind), LEARNABLE)
    base |= _known(ordered or {}, NAMES)
    found = Effective(**base)
    wall_seconds = found.wall_seconds if found.is_fixed else max(found.wall_seconds, unit_wall_seconds or 0)
    return replace(found, memory_mb=max(found.memory_mb, unit_memory_mb or 0), wall_seconds=wall_seconds)


def requirement(resources: ResourceSpec | Effective, kind: JobKind = JobKind.RUN) -> Requirement:
    """Returns what one job of these resources needs, whatever its size. What reads the outputs of many jobs (merge) has one node."""
    return Requirement(
        resources.cores, resources.memory_mb, resources.disk_mb, resources.wall_seconds, resources.architecture, resources.gpus, kind,
        resources.nodes if kind == JobKind.RUN else 1, resources.gpu_model, resources.gpu_memory_mb,
    )  # fmt: skip


def build_requirement(document: TaskDocument) -> Requirement:
    """Returns what a build job needs: what the build asks for, on one node with the cores, disk and architecture of the task's other jobs."""
    assert document.build is not None, "asked for a task with a build"
    slot = document.resources
    return Requirement(slot.cores, document.build.memory_mb, slot.disk_mb, document.build.wall_seconds, slot.architecture, 0, JobKind.BUILD)


def with_build(wanted: Requirement, document: TaskDocument) -> Requirement:
    """Returns what a queue must have for a task: what its jobs need, and what its build needs."""
    build = document.build
    if build is None:
        return wanted
    return replace(wanted, memory_mb=max(wanted.memory_mb, build.memory_mb), wall_seconds=max(wanted.wall_seconds, build.wall_seconds))


def sized(resources: Effective, kind: JobKind = JobKind.RUN, *, n_events: int | None = None, input_mb: float | None = None) -> Requirement:
    """Returns what a job of this size needs: what the rates predict raises wall time and disk, and never lowers them.

    What is predicted is rounded up by at most an eighth, so that jobs of like size share a class of requirements.
    """
    wall_seconds, disk_mb = predicted_wall_seconds(resources, n_events, input_mb), predicted_disk_mb(resources, n_events, input_mb)
    wanted = requirement(resources, kind)
    return replace(wanted, disk_mb=_raised(wanted.disk_mb, disk_mb), wall_seconds=_raised(wanted.wall_seconds, wall_seconds))


def predicted_wall_seconds(resources: Effective, n_events: int | None, input_mb: float | None) -> float:
    """Returns base time + seconds per event x events + seconds per MB x MB (semantics 3.7); 0 when no rate is known, or not the size it is for."""
    variable = _times(resources.wall_seconds_per_event, n_events) + _times(resources.wall_seconds_per_mb, input_mb)
    return resources.base_seconds + variable if variable else 0.0


def predicted_output_mb(resources: Effective, n_events: int | None, input_mb: float | None) -> float:
    """Returns the output that the rates predict: per event where that is known, else per MB of input (semantics 3.6); 0 when nothing is known."""
    return _times(resources.output_mb_per_event, n_events) or _times(resources.output_mb_per_input_mb, input_mb)


def predicted_disk_mb(resources: Effective, n_events: int | None, input_mb: float | None) -> float:
    """Returns input + predicted output + work disk (semantics 3.7); 0 when neither output nor work disk is known."""
    own = predicted_output_mb(resources, n_events, input_mb) + (resources.work_mb or 0)
    return own + (input_mb or 0) if own else 0.0


def _known(values: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name in names and value is not None}


def _of_kind(learned: Mapping[str, Any], kind: JobKind) -> Mapping[str, Any]:
    if kind == JobKind.RUN:
        return learned
    prefix = f"{kind}_"
    return {name.removeprefix(prefix): value for name, value in learned.items() if name.startswith(prefix)}


def _times(rate: float | None, size: float | None) -> float:
    return rate * size if rate is not None and size is not None else 0.0


def _raised(least: int, predicted: float) -> int:
    """Returns `least`, or what is predicted where that is more: rounded up to three binary digits after the first (8, 9, .. 15 times a power of two)."""
    whole = ceil(round(predicted, 6))
    if whole <= least:
        return least
    step = 1 << max(0, whole.bit_length() - 4)
    return -(-whole // step) * step
