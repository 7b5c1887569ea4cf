"""From a command line to a task document: what `panda run` submits."""

from __future__ import annotations

import re
import secrets
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from pandawms.domain.errors import Invalid, did_you_mean
from pandawms.wire.checks import checked
from pandawms.wire.document import EnvironmentSpec, InputSpec, ProgramSpec, ResourceSpec, SplitSpec, TaskDocument

_PLACEHOLDER = re.compile(r"(%\{[^{}\n]*\})")


def document_of(
    command: Sequence[str],
    folder: Path,
    *,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    files: Sequence[str] = (),
    files_per_job: int = 1,
    n_jobs: int = 1,
    name: str | None = None,
    environment: EnvironmentSpec | None = None,
    resources: ResourceSpec | None = None,
) -> TaskDocument:
    """The task that runs `command` over local input files, or `n_jobs` times without input; checked.

    Words of the command that name files below `folder` travel with it, and so do `files`. Raises Invalid for a program that is named
    by a path and is not there.
    """
    _check_program(command, folder)
    return checked(
        TaskDocument(
            name=name or task_name(command),
            program=ProgramSpec(command=command_text(command), files=program_files(command, folder, files, outputs)),
            inputs={"input": InputSpec(files=tuple(inputs))} if inputs else {"events": InputSpec(count=n_jobs)},
            split=SplitSpec(files_per_job=files_per_job) if inputs else SplitSpec(events_per_job=1),
            outputs=dict(output_streams(outputs)),
            environment=environment or EnvironmentSpec(),
            resources=resources or ResourceSpec(),
        )
    )


def command_text(command: Sequence[str]) -> str:
    """The words as one line for the shell, placeholders unquoted; a single word is a line already."""
    if not command:
        hint = "write -- and the command at the end, as in: panda run --outputs out.txt -- ./prog %OUT"
        raise Invalid("there is no command to run", code="usage", field="COMMAND", hint=hint)
    return command[0] if len(command) == 1 else " ".join(map(_quoted, command))


def _words(command: Sequence[str]) -> list[str]:
    """The words of the command; those of a line for the shell without the characters that end a command."""
    if len(command) != 1:
        return list(command)
    lexer = shlex.shlex(command[0], posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        return list(lexer)
    except ValueError:  # a quote that does not end: the shell may still understand it, as in a here-document
        return command[0].split()


def _check_program(command: Sequence[str], folder: Path) -> None:
    word = next(iter(_words(command)), "")
    is_path = "/" in word and not word.startswith(("/", "~")) and not re.search(r"[%$`*?\[=]", word)
    if not is_path or (_is_below(word, folder) and (folder / word).is_file()):
        return
    raise Invalid(
        f"{word} is no file below this folder",
        code="file_missing",
        field="program.command",
        value=word,
        allowed="a program that is a file below this folder, or a command of the machine where the job runs",
        hint=_program_hint(PurePosixPath(word), "./" if word.startswith("./") else "", folder),
    )


def _program_hint(path: PurePosixPath, prefix: str, folder: Path) -> str:
    beside = folder / path.parent
    if ".." in path.parts:
        return "go to the folder that holds the program: nothing outside the present folder travels"
    siblings = [item.name for item in beside.iterdir() if item.is_file()] if beside.is_dir() else []
    near = did_you_mean(path.name, siblings)
    return f"did you mean {prefix}{(path.parent / near).as_posix()}?" if near else "go to the folder that holds the program"


def _quoted(word: str) -> str:
    parts = _PLACEHOLDER.split(word)
    return "".join(part if index % 2 else (shlex.quote(part) if part else "") for index, part in enumerate(parts)) or "''"


def program_files(command: Sequence[str], folder: Path, extra: Sequence[str], outputs: Sequence[str]) -> tuple[str, ...]:
    """The words of the command that are files or folders below `folder`, and the extra ones, each once."""
    words = _words(command)
    named = [PurePosixPath(word).as_posix() for word in words if _is_below(word, folder) and word not in outputs]
    return tuple(dict.fromkeys([*named, *(PurePosixPath(word).as_posix() for word in extra)]))


def _is_below(word: str, folder: Path) -> bool:
    path = PurePosixPath(word)
    return not path.is_absolute() and ".." not in path.parts and bool(path.parts) and "%" not in word and (folder / path).exists()


def output_streams(outputs: Sequence[str]) -> dict[str, str]:
    """A stream for each output file, named after it: `Out.tar.gz` fills the stream `out`."""
    streams: dict[str, str] = {}
    for name in outputs:
        stem = re.sub(r"[^a-z0-9_-]", "_", name.lower().split(".")[0] or "output").strip("_-")[:40]
        stem = stem if stem[:1].isalpha() else f"output_{stem}".rstrip("_")
        stream, number = stem, 2
        while stream in streams or stream in ("input", "events"):
            stream, number = f"{stem}{number}", number + 1
        streams[stream] = name
    return streams


def task_name(command: Sequence[str]) -> str:
    """A name that is free: the program's, the time, and four random digits."""
    words = _words(command)
    program = re.sub(r"[^A-Za-z0-9._-]", "-", PurePosixPath(words[0]).stem if words else "")[:40].strip("-._")
    return f"run-{program or 'command'}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
