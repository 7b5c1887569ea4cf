"""What the split of a document must fulfil: options that agree with each other, with the kind of input and with the resources. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from pandawms.domain.errors import Invalid
from pandawms.wire.checks_inputs import n_names
from pandawms.wire.document import MAX_JOBS_PER_TASK, InputSpec, SplitSpec, TaskDocument
from pandawms.wire.document_view import event_chunk, primary
from pandawms.wire.findings import clash, missing, number

EXACT = ("events_per_job", "files_per_job", "n_jobs")
"""Each of these says alone how large a job is."""
OF_FILES = ("files_per_job", "max_files_per_job", "mb_per_job", "boundary")
OF_EVENTS = ("events_per_job", "output_mb_per_job", "wall_seconds_per_job")
RULED_OUT = {
    "n_jobs": ("max_files_per_job", "mb_per_job", "output_mb_per_job", "wall_seconds_per_job", "boundary"),
    "boundary.one_job_per_group": ("events_per_job", "files_per_job", "max_files_per_job", "mb_per_job", "output_mb_per_job", "wall_seconds_per_job"),
}
"""What a rule leaves no room for, as it says alone how many jobs there are."""


def n_event_jobs(document: TaskDocument) -> int | None:
    """Into how many jobs the events input of a document is cut; None when it has another input, or the split does not say."""
    count, chunk = primary(document)[1].count, event_chunk(document)
    return None if count is None or chunk is None else -(-count // chunk)


def split(document: TaskDocument) -> Iterator[Invalid]:
    """All that is wrong with how the primary input is cut."""
    stream, spec = primary(document)
    if len(spec.kinds) != 1 or (spec.kinds == ("events",) and spec.count is None):
        return
    yield from _kind(document.split, stream, spec)
    yield from _one_rule(document.split)
    yield from _boundary(document.split)
    yield from _numbers(document, stream, spec)
    yield from _targets(document, spec)
    yield from _jobs(document, stream, spec)


def _kind(split: SplitSpec, stream: str, spec: InputSpec) -> Iterator[Invalid]:
    """Options that this kind of input has no meaning for."""
    if spec.count is not None:
        for name in OF_FILES:
            if getattr(split, name) is not None:
                why = "an events input has no files to count"
                hint = "write split: {events_per_job: …}"
                yield clash(f"split.{name}", _shown(split, name), f"inputs.{stream}.count", why, allowed="events_per_job", hint=hint, code="split_kind")
    elif spec.pieces is not None:
        for name in ("events_per_job", "max_files_per_job", "mb_per_job", "boundary", "output_mb_per_job", "wall_seconds_per_job"):
            if getattr(split, name) is not None:
                why = "pieces have no events, no files and no size"
                hint = "write files_per_job for pieces a job, or n_jobs"
                yield clash(f"split.{name}", _shown(split, name), f"inputs.{stream}.pieces", why, allowed="files_per_job, n_jobs", hint=hint, code="split_kind")
    elif spec.files is not None and spec.events_per_file is None and (split.events_per_job is not None or spec.max_events is not None):
        other = "split.events_per_job" if split.events_per_job is not None else f"inputs.{stream}.max_events"
        why = f"nobody counted the events of your files for {other}"
        yield missing(f"inputs.{stream}.events_per_file", "at least 1", "say how many events a file has", why)


def _one_rule(split: SplitSpec) -> Iterator[Invalid]:
    given = [name for name in EXACT if getattr(split, name) is not None]
    for name in given[1:]:
        yield clash(f"split.{name}", getattr(split, name), f"split.{given[0]}", "each says alone how large a job is", hint=f"keep one of {', '.join(given)}")
    grouped = split.boundary is not None and split.boundary.one_job_per_group
    rules = [rule for rule, is_on in (("n_jobs", split.n_jobs is not None), ("boundary.one_job_per_group", grouped)) if is_on]
    for rule in rules:
        for name in RULED_OUT[rule]:
            if getattr(split, name) is not None and not (rule.startswith(name)):
                yield clash(f"split.{name}", _shown(split, name), f"split.{rule}", "that alone says how many jobs there are")


def _boundary(split: SplitSpec) -> Iterator[Invalid]:
    spec = split.boundary
    if spec is None:
        return
    if spec.name_field is None and spec.attribute is None:
        yield missing("split.boundary", "name_field or attribute", "write name_field: 2 for the second part of the file name")
    elif spec.name_field is not None and spec.attribute is not None:
        yield clash("split.boundary.name_field", spec.name_field, "split.boundary.attribute", "a group is told by the name or by the catalogue")
    elif spec.attribute is not None and spec.separator != ".":
        yield clash("split.boundary.separator", spec.separator, "split.boundary.attribute", "only names have separators")


def _numbers(document: TaskDocument, stream: str, spec: InputSpec) -> Iterator[Invalid]:
    """Numbers that leave no room for each other."""
    split = document.split
    yield from _at_most("split.files_per_job", split.files_per_job, "split.max_files_per_job", split.max_files_per_job)
    yield from _at_most("split.n_jobs", split.n_jobs, "split.max_jobs", split.max_jobs)
    yield from _at_most("split.n_jobs", split.n_jobs, f"inputs.{stream}.count", spec.count)
    yield from _at_most("split.n_jobs", split.n_jobs, f"inputs.{stream}.pieces", spec.pieces)
    if split.events_per_job is None:
        yield from _at_most("split.n_jobs", split.n_jobs, f"inputs.{stream}.{'max_files' if spec.max_files else 'names'}", n_names(document))


def _at_most(field: str, value: int | None, other: str, limit: int | None) -> Iterator[Invalid]:
    if value is not None and limit is not None and value > limit:
        yield clash(field, value, other, f"it can be {limit} at most", allowed=f"at most {limit}", hint=f"lower {field} or raise {other}", code="impossible")


def _targets(document: TaskDocument, spec: InputSpec) -> Iterator[Invalid]:
    """Wanted sizes of jobs need a rate to be reckoned from, and must leave room for one event."""
    split, need = document.split, document.resources
    yield from _rate(document, spec, "output_mb_per_job", "output_mb_per_event", "output_mb_per_input_mb")
    yield from _rate(document, spec, "wall_seconds_per_job", "wall_seconds_per_event", "wall_seconds_per_mb")
    yield from _at_most("split.wall_seconds_per_job", split.wall_seconds_per_job, "resources.wall_seconds", need.wall_seconds)
    for field, size in (("mb_per_job", split.mb_per_job), ("output_mb_per_job", split.output_mb_per_job)):
        yield from _at_most(f"split.{field}", size, "resources.disk_mb", need.disk_mb)
    wanted = ("split.wall_seconds_per_job", split.wall_seconds_per_job, need.base_seconds, need.wall_seconds_per_event, "wall_seconds_per_event")
    yield from _room(split, *wanted)
    yield from _room(split, "split.output_mb_per_job", split.output_mb_per_job, 0, need.output_mb_per_event, "output_mb_per_event")
    if split.wall_seconds_per_job is None:
        yield from _room(split, "resources.wall_seconds", need.wall_seconds, need.base_seconds, need.wall_seconds_per_event, "wall_seconds_per_event")


def _rate(document: TaskDocument, spec: InputSpec, target: str, per_event: str, per_mb: str) -> Iterator[Invalid]:
    size, need = getattr(document.split, target), document.resources
    if size is None or getattr(need, per_event) is not None or spec.pieces is not None:
        return
    if spec.count is not None:
        yield missing(f"resources.{per_event}", "more than 0", f"say how much one event takes, or leave out {target}", f"split.{target} is reckoned from it")
    elif getattr(need, per_mb) is None and not (document.scouts.jobs and not need.is_fixed):
        why = f"split.{target} is reckoned from it, and there are no scouts that could measure it"
        yield missing(f"resources.{per_mb}", "more than 0", f"give resources.{per_mb} or resources.{per_event}, or leave out {target}", why)


def _room(split: SplitSpec, field: str, size: int | None, base: int, rate: float | None, rate_name: str) -> Iterator[Invalid]:
    if size is None or rate is None:
        return
    n = split.events_per_job or 1
    if base + n * rate > size:
        least = number(base + n * rate)
        other = f"split.events_per_job and resources.{rate_name}" if split.events_per_job else f"resources.{rate_name}"
        why = f"{'one event takes' if n == 1 else f'{n} events take'} {least}"
        yield clash(field, size, other, why, allowed=f"at least {least}", hint=f"raise {field}, or put fewer events into a job", code="impossible")


def _jobs(document: TaskDocument, stream: str, spec: InputSpec) -> Iterator[Invalid]:
    """A count of jobs that is missing or too large."""
    if spec.count is None:
        return
    n_jobs, chunk = n_event_jobs(document), event_chunk(document)
    if n_jobs is None or chunk is None:
        if document.split.wall_seconds_per_job is None and document.split.output_mb_per_job is None:
            hint = f"write split: {{events_per_job: {max(1, min(spec.count, 1000))}}}"
            yield missing("split.events_per_job", "at least 1", hint, f"inputs.{stream}.count is cut by it")
    elif n_jobs > MAX_JOBS_PER_TASK:
        yield _too_many(spec.count, chunk, n_jobs)


def _too_many(count: int, chunk: int, n_jobs: int) -> Invalid:
    least = -(-count // MAX_JOBS_PER_TASK)
    return Invalid(
        f"{count} events by {chunk} make {n_jobs} jobs", code="too_many_jobs", field="split.events_per_job", value=chunk,
        allowed=f"at most {MAX_JOBS_PER_TASK} jobs a task, so at least {least} events a job",
        hint=f"write events_per_job: {least} or more, or make several tasks",
    )  # fmt: skip


def _shown(split: SplitSpec, name: str) -> object:
    return "given" if name == "boundary" else getattr(split, name)
