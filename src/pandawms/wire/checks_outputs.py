"""What outputs, merge and commands of a document must fulfil: names that do not collide, placeholders that can be filled. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping
from pathlib import PurePosixPath

from pandawms.domain.errors import Invalid, did_you_mean
from pandawms.wire.document import TaskDocument
from pandawms.wire.document_view import BUILD, is_counted_in_events, output_files
from pandawms.wire.findings import wrong
from pandawms.wire.placeholders import Names, unknown_placeholders

MAX_FILE_NAME = 250
"""Longest file name that every storage takes (255 bytes on common file systems, less room for a temporary suffix)."""

_SERIAL_AND_ATTEMPT = len(".0000000000.000") + 1


def outputs(document: TaskDocument) -> Iterator[Invalid]:
    """All that is wrong with the outputs of run jobs."""
    yield from _repeated("outputs", output_files(document))
    packed_names = {PurePosixPath(path).parts[0] for path in document.program.files if PurePosixPath(path).parts}
    for stream, name in output_files(document).items():
        if stream in document.inputs:
            yield wrong(
                f"outputs.{stream}",
                stream,
                "a stream that is not an input",
                f"call the output {stream}_out",
                "name_collides",
            )
        if name in packed_names:
            hint = "let the program write under another name"
            yield wrong(f"outputs.{stream}", name, "a name that no program file has", hint, "name_collides")
        yield from _file_name_length(f"outputs.{stream}", document.name, stream, name)


def merging(document: TaskDocument) -> Iterator[Invalid]:
    """All that is wrong with the merge."""
    merge = document.merge
    if merge is None:
        return
    if merge.inputs not in document.outputs:
        near = did_you_mean(merge.inputs, document.outputs)
        allowed = ", ".join(document.outputs) or "none: the task has no outputs"
        yield wrong(
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
            yield wrong(f"merge.outputs.{stream}", stream, "a stream that the task does not have yet", hint, "name_collides")
        yield from _file_name_length(f"merge.outputs.{stream}", document.name, stream, name)


def building(document: TaskDocument) -> Iterator[Invalid]:
    """All that is wrong with the build."""
    build = document.build
    if build is None:
        return
    merged = document.merge.outputs if document.merge else {}
    groups: tuple[tuple[str, Container[str]], ...] = (("inputs", document.inputs), ("outputs", document.outputs), ("merge.outputs", merged))
    for field, streams in groups:
        if BUILD in streams:
            yield wrong(f"{field}.{BUILD}", BUILD, "another name", f"a task with a build calls its library {BUILD}: choose another stream", "name_collides")
    if build.output in (".", ".."):
        yield wrong("build.output", build.output, "a plain file name", "name a file", "bad_name")
    packed_names = {PurePosixPath(path).parts[0] for path in document.program.files if PurePosixPath(path).parts}
    if build.output in packed_names:
        yield wrong("build.output", build.output, "a name that no program file has", "let the build write under another name", "name_collides")
    yield from _file_name_length("build.output", document.name, BUILD, build.output)


def _repeated(field: str, outputs: Mapping[str, str]) -> Iterator[Invalid]:
    counts = Counter(outputs.values())
    for stream, name in outputs.items():
        if name in (".", ".."):
            yield wrong(f"{field}.{stream}", name, "a plain file name", "name a file", "bad_name")
        if counts[name] > 1:
            others = [other for other, same in outputs.items() if same == name and other != stream]
            hint = f"{others[0]} has this file name too: give each output its own"
            yield wrong(f"{field}.{stream}", name, "a file name of its own", hint, "name_collides")


def _file_name_length(field: str, task: str, stream: str, name: str) -> Iterator[Invalid]:
    length = len(task) + 1 + len(stream) + _SERIAL_AND_ATTEMPT + sum(map(len, PurePosixPath(name).suffixes))
    if length > MAX_FILE_NAME:
        allowed = f"file names of at most {MAX_FILE_NAME} characters, task and stream included"
        yield wrong(field, name, allowed, "shorten the suffixes, the stream or the task's name", "name_too_long")


def commands(document: TaskDocument) -> Iterator[Invalid]:
    """All placeholders of the commands that nothing can fill."""
    names = program_names(document)
    if document.program.command is not None:
        yield from unknown_placeholders(document.program.command, names, "program.command")
    for n, step in enumerate(document.program.steps):
        yield from unknown_placeholders(step.command, names, f"program.steps[{n}].command")
    if document.merge is not None:
        yield from unknown_placeholders(document.merge.command, merge_names(document), "merge.command")
    if document.build is not None:
        yield from unknown_placeholders(document.build.command, Names(outputs=(BUILD,)), "build.command")


def program_names(document: TaskDocument) -> Names:
    """What the program's command may name: its inputs of files, its outputs, and event numbers where a unit of work is a chunk of events."""
    with_files = tuple(stream for stream, spec in document.inputs.items() if not spec.is_numbered)
    return Names(with_files, tuple(document.outputs), has_events=is_counted_in_events(document), beside=_library(document))


def merge_names(document: TaskDocument) -> Names:
    """What the command of a merge may name: the merged stream as its input, its own outputs, and what the build made."""
    assert document.merge is not None, "asked for a task that merges"
    return Names(inputs=(document.merge.inputs,), outputs=tuple(document.merge.outputs), beside=_library(document))


def _library(document: TaskDocument) -> tuple[str, ...]:
    return (BUILD,) if document.build is not None else ()
