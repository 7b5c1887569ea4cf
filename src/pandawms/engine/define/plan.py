"""Decides how the inputs of a task are listed: what becomes a unit, and which files are taken. Pure."""

from dataclasses import dataclass

from pandawms.domain.errors import Invalid
from pandawms.wire.document import MAX_JOBS_PER_TASK, InputSpec, TaskDocument
from pandawms.wire.document_view import event_chunk, max_files_per_job, primary
from pandawms.wire.selection import Choice, Counted, Cut, as_regex

MB = 1 << 20
"""Bytes of a megabyte, as splitting and pilots count."""


@dataclass(frozen=True, slots=True)
class Chunks:
    """`count` numbered events from `first`, a unit for each `chunk` of them."""

    stream: str
    first: int
    count: int
    chunk: int


@dataclass(frozen=True, slots=True)
class Pieces:
    """`count` numbered pieces, a unit for each."""

    stream: str
    count: int


@dataclass(frozen=True, slots=True)
class Files:
    """The chosen files of datasets: a unit for each, or several where a file has more events than a job may have."""

    stream: str


def master(document: TaskDocument) -> tuple[str, InputSpec]:
    """Returns the primary input, by which a task is split: the first of the document."""
    return primary(document)


def plan(document: TaskDocument) -> Chunks | Pieces | Files:
    """Returns how the primary input becomes units. Numbers beyond the jobs that the task may have are left out."""
    stream, spec = primary(document)
    most = document.split.max_jobs
    if spec.count is not None:
        chunk = event_chunk(document) or spec.count
        return Chunks(stream, spec.first_event, spec.count if most is None else min(spec.count, most * chunk), chunk)
    if spec.pieces is not None:
        return Pieces(stream, spec.pieces if most is None else min(spec.pieces, most * files_per_job(document)))
    return Files(stream)


def choice(spec: InputSpec) -> Choice:
    """Returns which files of an input are taken."""
    return Choice(
        include=[as_regex(pattern) for pattern in spec.include], exclude=[as_regex(pattern) for pattern in spec.exclude], names=spec.names, skip=spec.skip,
        max_files=spec.max_files, max_events=spec.max_events, sorting=spec.order, events_per_file=spec.events_per_file,
    )  # fmt: skip


def cut(document: TaskDocument) -> Cut:
    """Returns how the files of the primary input become units."""
    boundary = document.split.boundary
    return Cut(
        max_attempts=document.retry.max_attempts, events_per_unit=document.split.events_per_job, name_field=boundary.name_field if boundary else None,
        separator=boundary.separator if boundary else ".", by_attribute=boundary is not None and boundary.attribute is not None,
    )  # fmt: skip


def needs_events(document: TaskDocument) -> bool:
    """Whether the task cannot be listed without knowing how many events each file has."""
    return document.split.events_per_job is not None or primary(document)[1].max_events is not None


def files_per_job(document: TaskDocument) -> int:
    """Returns how many units one job takes: a chunk of events is a job of its own. An estimate where jobs are sized by something else than a number."""
    spec, split = primary(document)[1], document.split
    if spec.count is not None:
        return 1
    if split.files_per_job is not None:
        return split.files_per_job
    if spec.pieces is not None:
        return -(-spec.pieces // split.n_jobs) if split.n_jobs is not None else 1
    by_size = (split.mb_per_job, split.output_mb_per_job, split.wall_seconds_per_job, split.boundary)
    return 1 if all(size is None for size in by_size) else max_files_per_job(split)


def count_jobs(document: TaskDocument, found: Counted) -> int:
    """Returns how many run jobs a task makes of its input, with these files where it reads datasets: what splitting makes of them may be a few more."""
    listing, split = plan(document), document.split
    if isinstance(listing, Chunks):
        return -(-listing.count // listing.chunk)
    if isinstance(listing, Pieces):
        return -(-listing.count // files_per_job(document))
    if split.n_jobs is not None:
        return min(split.n_jobs, found.n_files)
    if split.events_per_job is not None:
        return max(-(-found.n_events // split.events_per_job), -(-found.n_files // max_files_per_job(split)))
    by_size = -(-found.n_bytes // (split.mb_per_job * MB)) if split.mb_per_job else 0
    n_jobs = min(found.n_files, max(-(-found.n_files // files_per_job(document)), by_size))
    return min(n_jobs, split.max_jobs or n_jobs)


def check_job_count(document: TaskDocument, found: Counted) -> None:
    """Raises Invalid when the split makes more jobs than a task may have."""
    n_jobs = count_jobs(document, found)
    if n_jobs > MAX_JOBS_PER_TASK:
        raise Invalid(
            f"the split makes {n_jobs:,} jobs", code="split.too_many_jobs", field="split", value=n_jobs, allowed=f"at most {MAX_JOBS_PER_TASK:,} jobs",
            hint="put more events or files into each job",
        )  # fmt: skip
