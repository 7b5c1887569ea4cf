"""Questions that many ask a task document. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from pandawms.wire.document import InputSpec, OutputSpec, SplitSpec, TaskDocument
from pandawms.wire.placeholders import placeholders

MAX_FILES_PER_JOB = 200
"""Files of one job at most, unless the document says more."""
MOST_UNITS = 10_000
"""Units of one job at most where only the size of its task or of a group bounds them (files of all inputs count)."""
BUILD = "build"
"""What commands call the file that a build job made, and the name of its stream."""


def primary(document: TaskDocument) -> tuple[str, InputSpec]:
    """The input by which a task is split: the first of the document."""
    return next(iter(document.inputs.items()))


def secondaries(document: TaskDocument) -> dict[str, InputSpec]:
    """All inputs but the primary, in their order; their files go along with the jobs."""
    return dict(list(document.inputs.items())[1:])


def datasets(spec: InputSpec) -> tuple[str, ...]:
    """The datasets that an input names itself, each once, in the order in which they are read; none for {task, output} and numbers."""
    one = () if spec.dataset is None else (spec.dataset,)
    return tuple(dict.fromkeys((*one, *(spec.datasets or ()))))


def output_file(spec: str | OutputSpec) -> str:
    """The local name of the file that a job writes."""
    return spec if isinstance(spec, str) else spec.file


def output_files(document: TaskDocument) -> Mapping[str, str]:
    """The local file name of every output stream of a run job, in the order of the document."""
    return {stream: output_file(spec) for stream, spec in document.outputs.items()}


def is_optional(document: TaskDocument, stream: str) -> bool:
    """Whether a job may succeed without this output; the outputs of a merge are never optional."""
    spec = document.outputs.get(stream)
    return isinstance(spec, OutputSpec) and spec.optional


def is_transient(document: TaskDocument, stream: str) -> bool:
    """Whether an output goes away again: because it is merged, or because the document says so."""
    spec = document.outputs.get(stream)
    merged = document.merge is not None and document.merge.inputs == stream
    return merged or (isinstance(spec, OutputSpec) and spec.transient)


def max_files_per_job(split: SplitSpec) -> int:
    """How many primary files a job may have at most."""
    return split.max_files_per_job or max(MAX_FILES_PER_JOB, split.files_per_job or 0)


SIZES_OF_FILES = ("events_per_job", "mb_per_job", "output_mb_per_job", "wall_seconds_per_job", "boundary")
"""What, beside a number of files, says how large a job of files is; max_files_per_job alone says no size."""


def most_units(spec: InputSpec, split: SplitSpec) -> int:
    """How many units of the primary input a job has at most, as the cut will make them: chunks of events, files or pieces."""
    if spec.count is not None:
        return 1
    if split.files_per_job is not None:
        return split.files_per_job
    if split.n_jobs is not None:
        return MOST_UNITS if spec.pieces is None else -(-spec.pieces // split.n_jobs)
    if split.boundary is not None and split.boundary.one_job_per_group:
        return MOST_UNITS
    is_sized = spec.pieces is None and any(getattr(split, name) is not None for name in SIZES_OF_FILES)
    return max_files_per_job(split) if is_sized else 1


def names_units(split: SplitSpec) -> str | None:
    """The field of `split` that was written and by which a job has as many units as it has, for whoever must lower it; None when nothing says a size."""
    given = [name for name in ("files_per_job", "n_jobs", "max_files_per_job", *SIZES_OF_FILES) if getattr(split, name) is not None]
    return f"split.{given[0]}" if given and given != ["max_files_per_job"] else None


def event_chunk(document: TaskDocument) -> int | None:
    """How many events a job of an events input makes (the last may make fewer); None when the split does not say, or the input is another.

    The strongest of events_per_job, n_jobs, wall_seconds_per_job and output_mb_per_job decides; of the last two the smaller one.
    """
    count, split, need = primary(document)[1].count, document.split, document.resources
    if count is None or split.events_per_job is not None:
        return split.events_per_job if count is not None else None
    if split.n_jobs is not None:
        return -(-count // split.n_jobs)
    rates = (
        (split.wall_seconds_per_job, need.base_seconds, need.wall_seconds_per_event),
        (split.output_mb_per_job, 0, need.output_mb_per_event),
    )
    chunks = [int((size - base) / rate) for size, base, rate in rates if size is not None and rate is not None]
    return min(count, max(1, min(chunks))) if chunks else None


def is_by_whole_group(document: TaskDocument) -> bool:
    """Whether each group of the primary input is one job, whatever its size."""
    return document.split.boundary is not None and document.split.boundary.one_job_per_group


def is_counted_in_events(document: TaskDocument) -> bool:
    """Whether the units of a task are chunks of events rather than files or pieces."""
    return primary(document)[1].count is not None or document.split.events_per_job is not None


def merge_needs_build(document: TaskDocument) -> bool:
    """Whether merge jobs use what the build made."""
    return document.build is not None and document.merge is not None and any(item.name == BUILD for item in placeholders(document.merge.command))


def reads_library(document: TaskDocument, kind: str) -> bool:
    """Whether a job of this kind reads what the build made: run jobs do, and merge jobs whose command names it."""
    return document.build is not None and (kind == "run" or (kind == "merge" and merge_needs_build(document)))


def program_command(document: TaskDocument) -> str:
    """What a job runs, as one command: steps each in a shell of their own, the next one only when the one before succeeded."""
    return " && ".join(f"(\n{step.command}\n)" for step in document.program.steps) or document.program.command or ""


MAX_PAYLOADS = 1000
"""Payloads of one job at most: all of them travel in one claim and one report."""

MAX_REPORT_BYTES = 16 << 20
"""A report at most, as the server takes it."""
OUTPUT_BYTES = 480
"""A file in a report at most: a stream of 50 letters, a name of 250, size, checksum, id and their keys."""
PAYLOAD_BYTES = 400
"""A payload in a report at most, beside its files. One that failed has none, and its message (500 letters) is shorter than the files of others."""
MAX_PAYLOAD_OUTPUTS = (MAX_REPORT_BYTES - MAX_PAYLOADS * PAYLOAD_BYTES) // OUTPUT_BYTES // 1000 * 1000
"""Outputs of all payloads of a job together at most (34,000): one report names all of them."""


def has_payloads(document: TaskDocument, kind: str = "run") -> bool:
    """Whether jobs of this kind run a payload for each of their units."""
    return kind == "run" and document.program.each is not None
