"""Placeholders in commands: which there are, which a command uses, and their replacement for one job.

    %IN  all files of the first input      %OUT  local name of the first output
    %{stream}  an input's files, or an output's local name; %{stream:comma} with commas; %{stream:file} a text file with one name a line
    %{build}  the file that the task's build job made
    %EVENTS %FIRST_EVENT  the chunk of an events input      %SEED %SERIAL %ATTEMPT %JOB_ID %TASK_ID %NODES %CORES %GPUS  numbers of the job
    %%  a percent sign

A percent sign before anything else (`date +%Y`) stays as it is. File names are quoted for the shell.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from pandawms.domain.errors import Invalid, did_you_mean

EVENT_WORDS = ("EVENTS", "FIRST_EVENT")
NUMBER_WORDS = ("SEED", "SERIAL", "ATTEMPT", "JOB_ID", "TASK_ID", "NODES", "CORES", "GPUS")
FILE_WORDS = ("IN", "OUT")
WORDS = (*FILE_WORDS, *EVENT_WORDS, *NUMBER_WORDS)
STYLES = ("comma", "file")

_PLACEHOLDER = re.compile(r"%(?:(?P<percent>%)|\{(?P<braced>[^{}\n]*)\}|(?P<word>[A-Z][A-Z0-9]+(?:_[A-Z0-9]+)*))")


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One placeholder as written in a command: `name` is a word or a stream, `style` is comma, file or empty."""

    text: str
    name: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Names:
    """What a command may name: its inputs and outputs in their order, and whether its input is a chunk of events.

    `beside` are single files that are neither: %IN and %OUT never mean them.
    """

    inputs: Sequence[str] = ()
    outputs: Sequence[str] = ()
    has_events: bool = False
    beside: Sequence[str] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """The words that make sense with these names."""
        given = {
            "IN": bool(self.inputs),
            "OUT": bool(self.outputs),
            "EVENTS": self.has_events,
            "FIRST_EVENT": self.has_events,
        }
        return tuple(word for word in WORDS if given.get(word, True))


@dataclass(frozen=True, slots=True)
class Values:
    """What one job puts in: its numbers by word, local file names by input, local name by output and by file beside them, all in task order."""

    numbers: Mapping[str, int] = field(default_factory=dict)
    inputs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Expanded:
    """A command without placeholders, and the text files (path in the work folder to content) that it reads."""

    command: str
    text_files: Mapping[str, str]


def placeholders(command: str) -> Iterator[Placeholder]:
    """All placeholders of a command in their order, percent signs left out."""
    for match in _PLACEHOLDER.finditer(command):
        if not match["percent"]:
            yield _placeholder(match)


def unknown_placeholders(command: str, names: Names, field_name: str) -> list[Invalid]:
    """One error for each different placeholder of `command` that these names cannot fill; `field_name` is where it stands."""
    found = {item.text: item for item in placeholders(command)}
    return [error for item in found.values() if (error := _refusal(item, names, field_name)) is not None]


def expand(command: str, values: Values) -> Expanded:
    """Replaces all placeholders of a command; raises Invalid (code placeholder_unknown) for one that has no value."""
    text_files: dict[str, str] = {}
    parts = [part if isinstance(part, str) else _value(part, values, text_files) for part in _parts(command)]
    return Expanded("".join(parts), text_files)


@lru_cache(maxsize=1000)
def _parts(command: str) -> tuple[str | Placeholder, ...]:
    """Texts and placeholders of a command in their order; all jobs of a task have the same command."""
    found: list[str | Placeholder] = []
    end = 0
    for match in _PLACEHOLDER.finditer(command):
        found += [command[end : match.start()], "%" if match["percent"] else _placeholder(match)]
        end = match.end()
    return (*found, command[end:])


def _placeholder(match: re.Match[str]) -> Placeholder:
    if match["word"]:
        return Placeholder(match[0], match["word"])
    name, _, style = match["braced"].partition(":")
    return Placeholder(match[0], name, style)


def _value(item: Placeholder, values: Values, text_files: dict[str, str]) -> str:
    if item.name in values.numbers:
        return str(values.numbers[item.name])
    stream = _first_stream(item.name, values) or item.name
    if stream in values.outputs:
        return shlex.quote(values.outputs[stream])
    if stream in values.beside:
        return shlex.quote(values.beside[stream])
    if stream in values.inputs:
        return _files(stream, item.style, values, text_files)
    raise Invalid(f"{item.text} has no value in this job", code="placeholder_unknown", value=item.text)


def _first_stream(word: str, values: Values) -> str | None:
    streams: Mapping[str, object] = {"IN": values.inputs, "OUT": values.outputs}.get(word, {})
    return next(iter(streams), None)


def _files(stream: str, style: str, values: Values, text_files: dict[str, str]) -> str:
    names = values.inputs[stream]
    if style == "comma":
        return shlex.quote(",".join(names))
    if style == "file":
        path = _free_name(
            f"{stream}.files.txt",
            {*values.outputs.values(), *values.beside.values(), *(name for files in values.inputs.values() for name in files)},
        )
        text_files[path] = "".join(f"{name}\n" for name in names)
        return shlex.quote(path)
    return " ".join(shlex.quote(name) for name in names)


def _free_name(name: str, taken: set[str]) -> str:
    while name in taken:
        name = f"_{name}"
    return name


def _refusal(item: Placeholder, names: Names, field_name: str) -> Invalid | None:
    checks: tuple[Callable[[Placeholder, Names, str], Invalid | None], ...] = (_refuse_style, _refuse_name)
    return next((error for check in checks if (error := check(item, names, field_name)) is not None), None)


def _refuse_style(item: Placeholder, names: Names, field_name: str) -> Invalid | None:
    if not item.style and not item.text.endswith(":}"):
        return None
    if item.style in STYLES and (item.name in names.inputs or (item.name == "IN" and names.inputs)):
        return None
    hint = did_you_mean(item.style, STYLES)
    return Invalid(
        f"{item.text} asks for a form that {item.name or 'it'} does not have",
        code="placeholder_unknown",
        field=field_name,
        value=item.text,
        allowed="%{input:comma} or %{input:file}",
        hint=f"did you mean %{{{item.name}:{hint}}}?" if hint and hint != item.style else "only inputs can be listed with commas or in a file",
    )


def _refuse_name(item: Placeholder, names: Names, field_name: str) -> Invalid | None:
    streams = (*names.inputs, *names.outputs, *names.beside)
    if item.name in streams or item.name in names.words:
        return None
    return Invalid(
        f"{item.text} is not a placeholder of this command",
        code="placeholder_unknown",
        field=field_name,
        value=item.text,
        allowed=" ".join([*(f"%{word}" for word in names.words), *(f"%{{{stream}}}" for stream in streams), "%%"]),
        hint=_hint(item, names, streams),
    )


def _hint(item: Placeholder, names: Names, streams: Sequence[str]) -> str:
    reasons = {
        "IN": "this command has no input files: name what it has, or give the task an input of files",
        "OUT": "the task has no outputs: add one under outputs",
        "EVENTS": "only an input of the kind {count, first} has event numbers",
        "FIRST_EVENT": "only an input of the kind {count, first} has event numbers",
    }
    if item.name in reasons:
        return reasons[item.name]
    near = did_you_mean(item.name, (*streams, *names.words))
    if near:
        return f"did you mean {f'%{near}' if near in names.words else f'%{{{near}}}'}?"
    return f"write %{item.text} if you mean the text {item.text} itself"
