"""What jobs of several payloads rule out, and what they need. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from pandawms.domain.errors import Invalid
from pandawms.wire.document import TaskDocument
from pandawms.wire.document_view import MAX_PAYLOADS, max_files_per_job, primary, secondaries
from pandawms.wire.findings import clash

FIELD = "program.each"


def each(document: TaskDocument) -> Iterator[Invalid]:
    """All that is wrong with `program.each`: what it contradicts, and limits that leave it no room."""
    spec = document.program.each
    if spec is None:
        return
    if document.program.steps:
        yield clash(FIELD, "given", "program.steps", "each payload is one command", hint="write the steps into one command, joined by &&")
    yield from _inputs(document)
    yield from _sizes(document)
    need = document.resources
    if spec.at_once > need.cores:
        yield _room(f"{FIELD}.at_once", spec.at_once, "resources.cores", need.cores, "each payload has a core")
    if spec.wall_seconds is not None and spec.wall_seconds > need.wall_seconds:
        yield _room(f"{FIELD}.wall_seconds", spec.wall_seconds, "resources.wall_seconds", need.wall_seconds, "a payload ends with its job")
    if need.nodes > 1:
        yield clash(FIELD, "given", "resources.nodes", "payloads run on the node of their pilot")


def _inputs(document: TaskDocument) -> Iterator[Invalid]:
    stream, spec = primary(document)
    if spec.count is not None:
        hint = "lower split.events_per_job instead, or take pieces: with split.files_per_job for payloads a job"
        yield clash(FIELD, "given", f"inputs.{stream}.count", "a job of an events input has one unit only", hint=hint)
    for name, other in secondaries(document).items():
        if other.ratio is not None:
            hint = f"write inputs.{name}.per_job or whole: all payloads of a job share these files"
            yield clash(FIELD, "given", f"inputs.{name}.ratio", "files that go along are shared by all payloads of a job", hint=hint)


def _sizes(document: TaskDocument) -> Iterator[Invalid]:
    split, merge = document.split, document.merge
    for name in ("files_per_job", "max_files_per_job"):
        size = getattr(split, name)
        if size is not None and size > MAX_PAYLOADS:
            yield _room(f"split.{name}", size, FIELD, MAX_PAYLOADS, f"a job has {MAX_PAYLOADS} payloads at most")
    pieces = primary(document)[1].pieces
    if split.n_jobs is not None and (pieces is None or pieces > MAX_PAYLOADS * split.n_jobs):
        yield clash(FIELD, "given", "split.n_jobs", f"a job has {MAX_PAYLOADS} payloads at most", hint="write split.files_per_job for payloads a job")
    if split.boundary is not None and split.boundary.one_job_per_group:
        yield clash(FIELD, "given", "split.boundary.one_job_per_group", f"a job has {MAX_PAYLOADS} payloads at most, a group any number of files")
    if merge is not None and merge.files_per_job is not None:
        most = split.files_per_job or max_files_per_job(split)
        if most > merge.files_per_job:
            other = "split.files_per_job" if split.files_per_job else "split.max_files_per_job"
            yield _room(other, most, "merge.files_per_job", merge.files_per_job, "what the payloads of a job write is merged together")


def _room(field: str, value: int, other: str, most: int, why: str) -> Invalid:
    hint = f"lower {field}" if other == FIELD else f"lower {field} or raise {other}"
    return clash(field, value, other, why, allowed=f"at most {most}", hint=hint, code="impossible")
