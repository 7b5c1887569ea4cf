"""Decides how the input of a task is listed. Pure."""

from dataclasses import dataclass

from pandawms.domain.errors import Invalid
from pandawms.wire.task import MAX_JOBS_PER_TASK, InputSpec, TaskDocument


@dataclass(frozen=True, slots=True)
class Chunks:
    """`count` numbered events from `first`, a unit for each `chunk` of them."""

    stream: str
    first: int
    count: int
    chunk: int


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a dataset, a unit for each."""

    stream: str


def master(document: TaskDocument) -> tuple[str, InputSpec]:
    """Returns the primary input, by which a task is split: the first of the document."""
    return next(iter(document.inputs.items()))


def plan(document: TaskDocument) -> Chunks | Files:
    """Returns how the primary input becomes units."""
    stream, spec = master(document)
    if spec.count is None:
        return Files(stream)
    return Chunks(stream, spec.first_event, spec.count, document.split.events_per_job or spec.count)


def files_per_job(document: TaskDocument) -> int:
    """Returns how many units one job takes: a chunk of events is a job of its own."""
    return 1 if master(document)[1].count is not None else document.split.files_per_job or 1


def count_jobs(document: TaskDocument, n_files: int) -> int:
    """Returns how many run jobs a task makes of its input, with `n_files` files where it reads a dataset."""
    listing = plan(document)
    if isinstance(listing, Chunks):
        return -(-listing.count // listing.chunk)
    return -(-n_files // files_per_job(document))


def check_job_count(document: TaskDocument, n_files: int) -> None:
    """Raises Invalid when the split makes more jobs than a task may have."""
    n_jobs = count_jobs(document, n_files)
    if n_jobs > MAX_JOBS_PER_TASK:
        raise Invalid(
            f"the split makes {n_jobs:,} jobs", code="split.too_many_jobs", field="split", value=n_jobs, allowed=f"at most {MAX_JOBS_PER_TASK:,} jobs",
            hint="put more events or files into each job",
        )  # fmt: skip
