"""What a task document must fulfil beyond its types, as far as that can be said without the database. Pure.

The client asks before it sends (its own files are still named), the server at submit (`packed=True`: files travel in a sandbox or
a dataset by then). Whether names exist, queues fit and datasets are full is the server's to say.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from pandawms.domain.errors import Invalid, did_you_mean
from pandawms.wire import requirements
from pandawms.wire.decode import decode
from pandawms.wire.placeholders import Names, unknown_placeholders
from pandawms.wire.task import MAX_JOBS_PER_TASK, InputSpec, MergeSpec, TaskDocument

MAX_FILE_NAME = 250
"""Longest file name that every storage takes (255 bytes on common file systems, less room for a temporary suffix)."""

_SERIAL_AND_ATTEMPT = len(".0000000.000") + 1
_PYTHON = re.compile(r"((>=|<=|==|!=|~=|<|>)?\s*3(\.\d+){0,2}(\.\*)?\s*(,\s*|$))+")


def decode_document(raw: bytes | Mapping[str, Any]) -> TaskDocument:
    """A task document from JSON bytes or parsed YAML or TOML; raises Invalid that names the field, as `decode` does."""
    return decode(TaskDocument, raw)


def checked(document: TaskDocument, *, packed: bool = False) -> TaskDocument:
    """The same document, when nothing is wrong with it; else raises the first Invalid, which carries the others in `errors`."""
    found = problems(document, packed=packed)
    if not found:
        return document
    first, *others = found
    raise Invalid(
        first.detail,
        code=first.code,
        field=first.field,
        value=first.value,
        allowed=first.allowed,
        hint=first.hint,
        errors=others,
    )


def problems(document: TaskDocument, *, packed: bool = False) -> list[Invalid]:
    """All that is wrong with a document, in the order of its fields; `packed` says that it comes to the server."""
    return [
        *_program(document, packed),
        *_environment(document),
        *_inputs(document, packed),
        *_split(document),
        *_outputs(document),
        *_merge(document),
        *_commands(document),
    ]


def _program(document: TaskDocument, packed: bool) -> Iterator[Invalid]:
    files = document.program.files
    if packed and files:
        yield Invalid(
            "program.files name files of your machine, which the server cannot see",
            code="not_packed",
            field="program.files",
            value=files[0],
            allowed="program.sandbox with the sha256 of an uploaded sandbox",
            hint="submit with the panda command or the Python client, which pack and upload the files",
        )
        return
    if document.program.sandbox and files:
        yield _invalid(
            "program.files",
            files[0],
            "either files or sandbox",
            "leave out program.sandbox: it is made of the files",
            "both_given",
        )
    for index, path in enumerate(files):
        yield from _program_path(f"program.files[{index}]", path)


def _program_path(field: str, path: str) -> Iterator[Invalid]:
    allowed = "a relative path of a file or folder beside the task file"
    if not path.strip() or any(ord(letter) < 32 for letter in path):
        yield _invalid(field, path, allowed, "write the name of a file", "bad_path")
    elif path.startswith(("/", "~")):
        name = PurePosixPath(path).name
        yield _invalid(field, path, allowed, f"copy it beside the task file and write {name}", "bad_path")
    elif ".." in PurePosixPath(path).parts:
        yield _invalid(
            field,
            path,
            allowed,
            "move the task file up, or the program down: nothing above the task file travels",
            "bad_path",
        )


def _environment(document: TaskDocument) -> Iterator[Invalid]:
    environment = document.environment
    if environment.python is not None and not _PYTHON.fullmatch(environment.python):
        yield _invalid("environment.python", environment.python, "a version specifier", 'write for example ">=3.11"', "bad_version")
    for index, package in enumerate(environment.packages):
        if not requirements.is_requirement(package):
            yield _invalid(f"environment.packages[{index}]", package, requirements.ALLOWED, requirements.HINT, "bad_requirement")


def _inputs(document: TaskDocument, packed: bool) -> Iterator[Invalid]:
    if len(document.inputs) != 1:
        yield _invalid(
            "inputs",
            ", ".join(document.inputs),
            "exactly one input",
            "keep one input; make one dataset of several",
            "one_input",
        )
    for stream, spec in document.inputs.items():
        yield from _input(f"inputs.{stream}", spec, packed)


def _input(field: str, spec: InputSpec, packed: bool) -> Iterator[Invalid]:
    allowed = "{count, first} or {dataset} or {task, output} or {files}"
    if len(spec.kinds) != 1:
        given = " and ".join(spec.kinds) or "nothing"
        yield _invalid(field, given, allowed, "keep exactly one kind of input", "input_kind")
    elif spec.kinds == ("events",) and spec.count is None:
        yield Invalid(
            f"{field}.count is missing",
            code="missing_field",
            field=f"{field}.count",
            hint="say how many events to make",
        )
    elif spec.kinds == ("task",) and spec.task is None:
        yield Invalid(
            f"{field}.task is missing",
            code="missing_field",
            field=f"{field}.task",
            hint="name the task that makes this output",
        )
    elif spec.kinds == ("task",) and spec.output is None:
        hint = f"name the output of {spec.task} that is read"
        yield Invalid(f"{field}.output is missing", code="missing_field", field=f"{field}.output", hint=hint)
    elif packed and spec.files is not None:
        yield Invalid(
            f"{field}.files name files of your machine, which the server cannot see",
            code="not_packed",
            field=f"{field}.files",
            value=spec.files[0],
            allowed="a dataset",
            hint="submit with the panda command or the Python client, which upload the files",
        )


def n_event_jobs(document: TaskDocument) -> int | None:
    """Into how many jobs the events input of a document is cut; None when it has another input."""
    count = next((spec.count for spec in document.inputs.values()), None)
    per_job = document.split.events_per_job
    return None if count is None or per_job is None else -(-count // per_job)


def _split(document: TaskDocument) -> Iterator[Invalid]:
    spec = next(iter(document.inputs.values()))
    if spec.kinds == ("events",) and spec.count is not None:
        yield from _split_of_events(document, spec.count)
    elif len(spec.kinds) == 1 and document.split.events_per_job is not None:
        yield Invalid(
            "files are not split by events",
            code="split_kind",
            field="split.events_per_job",
            value=document.split.events_per_job,
            allowed="files_per_job",
            hint="write split: {files_per_job: 1}",
        )


def _split_of_events(document: TaskDocument, count: int) -> Iterator[Invalid]:
    split, n_jobs = document.split, n_event_jobs(document)
    if split.files_per_job is not None:
        hint = "write split: {events_per_job: …}"
        yield Invalid(
            "an events input has no files to count",
            code="split_kind",
            field="split.files_per_job",
            value=split.files_per_job,
            allowed="events_per_job",
            hint=hint,
        )
    if n_jobs is None:
        hint = f"write split: {{events_per_job: {max(1, min(count, 1000))}}}"
        yield Invalid(
            "split.events_per_job is missing",
            code="missing_field",
            field="split.events_per_job",
            allowed="at least 1",
            hint=hint,
        )
    elif n_jobs > MAX_JOBS_PER_TASK:
        least = -(-count // MAX_JOBS_PER_TASK)
        yield Invalid(
            f"{count} events by {split.events_per_job} make {n_jobs} jobs",
            code="too_many_jobs",
            field="split.events_per_job",
            value=split.events_per_job,
            allowed=f"at most {MAX_JOBS_PER_TASK} jobs a task, so at least {least} events a job",
            hint=f"write events_per_job: {least} or more, or make several tasks",
        )


def _outputs(document: TaskDocument) -> Iterator[Invalid]:
    yield from _repeated("outputs", document.outputs)
    packed_names = {PurePosixPath(path).parts[0] for path in document.program.files if PurePosixPath(path).parts}
    for stream, name in document.outputs.items():
        if stream in document.inputs:
            yield _invalid(
                f"outputs.{stream}",
                stream,
                "a stream that is not an input",
                f"call the output {stream}_out",
                "name_collides",
            )
        if name in packed_names:
            hint = "let the program write under another name"
            yield _invalid(f"outputs.{stream}", name, "a name that no program file has", hint, "name_collides")
        yield from _file_name_length(f"outputs.{stream}", document.name, stream, name)


def _merge(document: TaskDocument) -> Iterator[Invalid]:
    merge = document.merge
    if merge is None:
        return
    if merge.inputs not in document.outputs:
        near = did_you_mean(merge.inputs, document.outputs)
        allowed = ", ".join(document.outputs) or "none: the task has no outputs"
        yield _invalid(
            "merge.inputs",
            merge.inputs,
            allowed,
            f"did you mean {near}?" if near else "name one of the outputs",
            "unknown_output",
        )
    yield from _repeated("merge.outputs", merge.outputs)
    for stream, name in merge.outputs.items():
        if stream in document.outputs or stream in document.inputs:
            hint = f"call it {stream}_merged"
            yield _invalid(f"merge.outputs.{stream}", stream, "a stream that the task does not have yet", hint, "name_collides")
        yield from _file_name_length(f"merge.outputs.{stream}", document.name, stream, name)


def _repeated(field: str, outputs: Mapping[str, str]) -> Iterator[Invalid]:
    counts = Counter(outputs.values())
    for stream, name in outputs.items():
        if name in (".", ".."):
            yield _invalid(f"{field}.{stream}", name, "a plain file name", "name a file", "bad_name")
        if counts[name] > 1:
            others = [other for other, same in outputs.items() if same == name and other != stream]
            hint = f"{others[0]} has this file name too: give each output its own"
            yield _invalid(f"{field}.{stream}", name, "a file name of its own", hint, "name_collides")


def _file_name_length(field: str, task: str, stream: str, name: str) -> Iterator[Invalid]:
    length = len(task) + 1 + len(stream) + _SERIAL_AND_ATTEMPT + sum(map(len, PurePosixPath(name).suffixes))
    if length > MAX_FILE_NAME:
        allowed = f"file names of at most {MAX_FILE_NAME} characters, task and stream included"
        yield _invalid(field, name, allowed, "shorten the suffixes, the stream or the task's name", "name_too_long")


def _commands(document: TaskDocument) -> Iterator[Invalid]:
    file_inputs = [stream for stream, spec in document.inputs.items() if spec.kinds != ("events",)]
    names = Names(inputs=file_inputs, outputs=tuple(document.outputs), has_events=len(file_inputs) < len(document.inputs))
    yield from unknown_placeholders(document.program.command, names, "program.command")
    if document.merge is not None:
        yield from unknown_placeholders(document.merge.command, merge_names(document.merge), "merge.command")


def merge_names(merge: MergeSpec) -> Names:
    """What the command of a merge may name: the merged stream as its input, and its own outputs."""
    return Names(inputs=(merge.inputs,), outputs=tuple(merge.outputs))


def _invalid(field: str, value: object, allowed: str, hint: str, code: str) -> Invalid:
    return Invalid(f"{field} must be {allowed}", code=code, field=field, value=value, allowed=allowed, hint=hint)
