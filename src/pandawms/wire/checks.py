"""What a task document must fulfil beyond its types, as far as that can be said without the database. Pure.

The client asks before it sends (its own files are still named), the server at submit (`packed=True`: files travel in a sandbox or
a dataset by then). Whether names exist, queues fit and datasets are full is the server's to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from pandawms.domain.errors import Invalid
from pandawms.wire import requirements
from pandawms.wire.checks_clones import cloning
from pandawms.wire.checks_each import each
from pandawms.wire.checks_inputs import inputs
from pandawms.wire.checks_limits import limits
from pandawms.wire.checks_outputs import building, commands, merging, outputs
from pandawms.wire.checks_split import split
from pandawms.wire.decode import decode
from pandawms.wire.document import TaskDocument
from pandawms.wire.findings import clash, missing, wrong

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
        *each(document),
        *_environment(document),
        *inputs(document, packed),
        *split(document),
        *limits(document),
        *cloning(document),
        *outputs(document),
        *merging(document),
        *building(document),
        *commands(document),
    ]


def _program(document: TaskDocument, packed: bool) -> Iterator[Invalid]:
    yield from _steps(document)
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
        yield wrong(
            "program.files",
            files[0],
            "either files or sandbox",
            "leave out program.sandbox: it is made of the files",
            "both_given",
        )
    for index, path in enumerate(files):
        yield from _program_path(f"program.files[{index}]", path)


def _steps(document: TaskDocument) -> Iterator[Invalid]:
    command, steps = document.program.command, document.program.steps
    if command is None and not steps:
        yield missing("program.command", "a shell command, or steps", "say what a job runs")
    if command is not None and steps:
        yield clash("program.steps", steps[0].name, "program.command", "a job runs a command or steps", hint="make the command a step")
    for n, step in enumerate(steps):
        if step.name in {other.name for other in steps[:n]}:
            yield wrong(f"program.steps[{n}].name", step.name, "a name that no other step has", "give each step its own name", "repeated")


def _program_path(field: str, path: str) -> Iterator[Invalid]:
    allowed = "a relative path of a file or folder beside the task file"
    if not path.strip() or any(ord(letter) < 32 for letter in path):
        yield wrong(field, path, allowed, "write the name of a file", "bad_path")
    elif path.startswith(("/", "~")):
        name = PurePosixPath(path).name
        yield wrong(field, path, allowed, f"copy it beside the task file and write {name}", "bad_path")
    elif ".." in PurePosixPath(path).parts:
        yield wrong(
            field,
            path,
            allowed,
            "move the task file up, or the program down: nothing above the task file travels",
            "bad_path",
        )


def _environment(document: TaskDocument) -> Iterator[Invalid]:
    environment = document.environment
    if environment.python is not None and not _PYTHON.fullmatch(environment.python):
        yield wrong("environment.python", environment.python, "a version specifier", 'write for example ">=3.11"', "bad_version")
    for index, package in enumerate(environment.packages):
        if not requirements.is_requirement(package):
            yield wrong(f"environment.packages[{index}]", package, requirements.ALLOWED, requirements.HINT, "bad_requirement")
