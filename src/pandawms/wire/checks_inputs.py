"""What the inputs of a document must fulfil: one kind each, a selection that can be met, one primary and the rest secondary. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase

from pandawms.domain.errors import Invalid
from pandawms.wire.document import InputSpec, TaskDocument
from pandawms.wire.document_view import datasets, primary
from pandawms.wire.findings import clash, missing, wrong

KINDS = "{count, first} or {pieces} or {dataset} or {datasets} or {task, output} or {files}"
MODES = ("per_job", "ratio", "whole")
_PLAIN = InputSpec()
_SELECTION = ("include", "exclude", "names", "skip", "max_files", "max_events", "order", "events_per_file", "grow", "may_be_empty", "if_missing")


def inputs(document: TaskDocument, packed: bool) -> Iterator[Invalid]:
    """All that is wrong with the inputs; `packed` says that the document comes to the server."""
    first, _ = primary(document)
    for stream, spec in document.inputs.items():
        found = list(_kind(f"inputs.{stream}", spec, packed))
        yield from found
        if not found:
            yield from _selection(f"inputs.{stream}", spec)
            yield from _primary(f"inputs.{stream}", spec) if stream == first else _secondary(f"inputs.{stream}", spec, document)


def _kind(field: str, spec: InputSpec, packed: bool) -> Iterator[Invalid]:
    if len(spec.kinds) != 1:
        given = " and ".join(spec.kinds) or "nothing"
        yield wrong(field, given, KINDS, "keep exactly one kind of input", "input_kind")
        return
    (kind,) = spec.kinds
    if kind == "events" and spec.count is None:
        yield missing(f"{field}.count", "at least 1", "say how many events to make")
    elif kind == "task" and spec.task is None:
        yield missing(f"{field}.task", "the name of a task", "name the task that makes this output")
    elif kind == "task" and spec.output is None:
        yield missing(f"{field}.output", "an output of that task", f"name the output of {spec.task} that is read")
    elif kind == "dataset":
        yield from _datasets(field, spec)
    elif packed and spec.files is not None:
        yield Invalid(
            f"{field}.files name files of your machine, which the server cannot see", code="not_packed", field=f"{field}.files", value=spec.files[0],
            allowed="a dataset", hint="submit with the panda command or the Python client, which upload the files",
        )  # fmt: skip


def _datasets(field: str, spec: InputSpec) -> Iterator[Invalid]:
    if spec.dataset is not None and spec.datasets is not None:
        hint = f"write datasets: [{spec.dataset}, …]"
        yield clash(f"{field}.dataset", spec.dataset, f"{field}.datasets", "an input names one dataset or several", hint=hint, code="both_given")
    yield from _repeated(f"{field}.datasets", spec.datasets or ())


def _repeated(field: str, names: tuple[str, ...]) -> Iterator[Invalid]:
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        yield wrong(field, twice[0], "each name once", f"{twice[0]} stands there more than once: leave it out once", "repeated")


def _selection(field: str, spec: InputSpec) -> Iterator[Invalid]:
    if spec.is_numbered:
        yield from _numbered(field, spec)
        return
    yield from _names(field, spec)
    yield from _patterns(field, spec)
    if spec.if_missing == "wait" and spec.files is not None:
        yield clash(f"{field}.if_missing", "wait", f"{field}.files", "files of your machine are there, or are missing now")
    if spec.if_missing == "ignore" and not spec.may_be_empty and len(datasets(spec)) <= 1:
        why = "without its only dataset the input is empty, and that is not allowed"
        hint = "write may_be_empty: true, or if_missing: wait"
        yield clash(f"{field}.if_missing", "ignore", f"{field}.may_be_empty", why, allowed="refuse, wait", hint=hint)


def _numbered(field: str, spec: InputSpec) -> Iterator[Invalid]:
    """Numbers are neither chosen nor waited for: their count says it all."""
    kind = "count" if spec.count is not None else "pieces"
    for name in _SELECTION:
        if getattr(spec, name) != getattr(_PLAIN, name):
            why = f"{'events' if kind == 'count' else 'pieces'} are numbers and have no files to choose from"
            yield clash(f"{field}.{name}", _shown(getattr(spec, name)), f"{field}.{kind}", why, hint=f"leave out {name}")


def _names(field: str, spec: InputSpec) -> Iterator[Invalid]:
    if not spec.names:
        return
    yield from _repeated(f"{field}.names", spec.names)
    if spec.include:
        yield clash(f"{field}.include", spec.include[0], f"{field}.names", "the names say exactly which files are read", hint="keep one of the two")
    shut = next(((name, pattern) for pattern in spec.exclude for name in spec.names if fnmatchcase(name, pattern)), None)
    if shut is not None:
        yield clash(f"{field}.names", shut[0], f"{field}.exclude", f"the pattern {shut[1]} leaves this file out", hint="leave out one of the two")
    if spec.skip >= len(spec.names):
        allowed = f"less than {len(spec.names)}"
        yield clash(f"{field}.skip", spec.skip, f"{field}.names", f"all {len(spec.names)} files are skipped", allowed=allowed, hint="skip fewer")


def _patterns(field: str, spec: InputSpec) -> Iterator[Invalid]:
    if "*" in spec.exclude:
        yield wrong(f"{field}.exclude", "*", "patterns that leave some files", "leave out the pattern *", "impossible")
    for pattern in spec.include:
        if pattern in spec.exclude:
            yield clash(f"{field}.include", pattern, f"{field}.exclude", "the same files are asked for and left out", hint="keep it in one of the two")


def _primary(field: str, spec: InputSpec) -> Iterator[Invalid]:
    for name in (*MODES, "reuse"):
        if getattr(spec, name):
            why = "the first input is the primary one, by which the task is split"
            hint = f"leave out {name} and use split, or let another input stand first"
            yield clash(f"{field}.{name}", getattr(spec, name), "split", why, allowed="on the second and later inputs", hint=hint, code="not_secondary")


def _secondary(field: str, spec: InputSpec, document: TaskDocument) -> Iterator[Invalid]:
    if spec.is_numbered:
        kind = "count" if spec.count is not None else "pieces"
        hint = "use %SERIAL and %SEED in the command, or let it stand first"
        yield clash(f"{field}.{kind}", getattr(spec, kind), "inputs", "only the first input can be numbers", allowed="an input of files", hint=hint)
        return
    modes = [mode for mode in MODES if getattr(spec, mode)]
    if not modes:
        yield missing(field, "one of per_job, ratio and whole", "write whole: true to give all its files to every job", "a second input needs a rule")
    for mode in modes[1:]:
        yield clash(f"{field}.{mode}", getattr(spec, mode), f"{field}.{modes[0]}", "a secondary input goes along in one way")
    yield from _way(field, spec, document)


def _way(field: str, spec: InputSpec, document: TaskDocument) -> Iterator[Invalid]:
    if spec.whole and spec.reuse:
        yield clash(f"{field}.reuse", True, f"{field}.whole", "every job gets all files, so they never run out")
    stream, first = primary(document)
    if spec.ratio is not None and first.is_numbered:
        kind = "count" if first.count is not None else "pieces"
        why = "there are no primary files to count by"
        yield clash(f"{field}.ratio", spec.ratio, f"inputs.{stream}.{kind}", why, allowed="per_job or whole", hint="write per_job instead")
    if spec.per_job and spec.max_files and spec.max_files < spec.per_job and not spec.reuse:
        allowed = f"at least {spec.per_job}"
        hint = "raise max_files, or write reuse: true"
        yield clash(f"{field}.max_files", spec.max_files, f"{field}.per_job", "there is not enough for one job", allowed=allowed, hint=hint)


def n_names(document: TaskDocument) -> int | None:
    """How many files the primary input can have at most, as far as the document tells."""
    spec = primary(document)[1]
    limits = [spec.max_files, len(spec.names) - spec.skip if spec.names else None]
    return min((n for n in limits if n is not None), default=None)


def _shown(value: object) -> object:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else value
