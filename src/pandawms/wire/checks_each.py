"""What jobs of several payloads rule out, and what they need. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from pandawms.domain.errors import Invalid
from pandawms.wire.document import TaskDocument
from pandawms.wire.document_view import MAX_PAYLOAD_OUTPUTS, MAX_PAYLOADS, most_units, names_units, primary, secondaries
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
    yield from _at_once(document, spec.at_once)
    need = document.resources
    if spec.wall_seconds is not None and spec.wall_seconds > need.wall_seconds:
        yield _room(f"{FIELD}.wall_seconds", spec.wall_seconds, "resources.wall_seconds", need.wall_seconds, "a payload ends with its job")
    if need.nodes > 1:
        yield clash(FIELD, "given", "resources.nodes", "payloads run on the node of their pilot")


def _at_once(document: TaskDocument, at_once: int) -> Iterator[Invalid]:
    """Payloads side by side share what the job has: each gets a core, and as many whole GPUs as the others."""
    need, field = document.resources, f"{FIELD}.at_once"
    if at_once > need.cores:
        yield _room(field, at_once, "resources.cores", need.cores, "each payload has a core")
    if need.gpus and need.gpus % at_once:
        divisors = ", ".join(str(n) for n in range(1, need.gpus + 1) if need.gpus % n == 0)
        hint = f"take one of {divisors}, or ask for {-(-need.gpus // at_once) * at_once} GPUs"
        why = f"{need.gpus} GPU{'s' * (need.gpus > 1)} cannot be shared equally by {at_once} payloads"
        yield clash(field, at_once, "resources.gpus", why, allowed=divisors, hint=hint, code="impossible")
    spec, split = primary(document)[1], document.split
    most = most_units(spec, split)
    if at_once > most and len(spec.kinds) == 1 and spec.count is None:
        other = names_units(split) or "split.files_per_job"
        is_number = other == "split.files_per_job"
        hint = f"lower {field}, or {f'write split.files_per_job: {at_once} or more' if is_number else 'let a job have more payloads'}"
        yield clash(field, at_once, other, f"a job has {most} payload{'s' * (most > 1)}", allowed=f"at most {most}", hint=hint, code="impossible")


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
    split, spec = document.split, primary(document)[1]
    for name in ("files_per_job", "max_files_per_job"):
        size = getattr(split, name)
        if size is not None and size > MAX_PAYLOADS:
            yield _room(f"split.{name}", size, FIELD, MAX_PAYLOADS, f"a job has {MAX_PAYLOADS} payloads at most")
    most = most_units(spec, split)
    if split.n_jobs is not None and (spec.pieces is None or most > MAX_PAYLOADS):
        yield clash(FIELD, "given", "split.n_jobs", f"a job has {MAX_PAYLOADS} payloads at most", hint="write split.files_per_job for payloads a job")
    elif split.boundary is not None and split.boundary.one_job_per_group:
        yield clash(FIELD, "given", "split.boundary.one_job_per_group", f"a job has {MAX_PAYLOADS} payloads at most, a group any number of files")
    else:
        yield from _merged(document, most)
        yield from _reported(document, most)


def _merged(document: TaskDocument, most: int) -> Iterator[Invalid]:
    """What the payloads of a job write is merged together, so that a merge takes as many files as a job has payloads."""
    split, merge = document.split, document.merge
    if merge is None or merge.files_per_job is None or most <= merge.files_per_job:
        return
    field, why = "merge.files_per_job", f"what the payloads of a job, {most} at most, write is merged together"
    most_merged = merge.files_per_job
    if split.files_per_job is not None:
        yield _room("split.files_per_job", most, field, most_merged, why)
        return
    other = names_units(split) or "split"
    lower = f"write split.n_jobs: {-(-most * (split.n_jobs or 1) // most_merged)}" if split.n_jobs else f"write split.max_files_per_job: {most_merged}"
    yield clash(field, most_merged, other, why, allowed=f"at least {most}", hint=f"raise {field} to {most}, or {lower}", code="impossible")


def _reported(document: TaskDocument, most: int) -> Iterator[Invalid]:
    n_outputs, other = len(document.outputs), names_units(document.split)
    if n_outputs and other is not None and most <= MAX_PAYLOADS and most * n_outputs > MAX_PAYLOAD_OUTPUTS:
        why = f"{most} payloads of {n_outputs} outputs each are {most * n_outputs} files, more than one report can tell"
        allowed = f"at most {MAX_PAYLOAD_OUTPUTS // most} outputs for {most} payloads a job"
        hint = f"write split.files_per_job: {MAX_PAYLOAD_OUTPUTS // n_outputs} or less, or let each payload write one archive"
        yield clash("outputs", n_outputs, other, why, allowed=allowed, hint=hint, code="impossible")


def _room(field: str, value: int, other: str, most: int, why: str) -> Invalid:
    hint = f"lower {field}" if other == FIELD else f"lower {field} or raise {other}"
    return clash(field, value, other, why, allowed=f"at most {most}", hint=hint, code="impossible")
