"""Download the outputs of a task, each file verified by size and checksum; what is there already is left as it is."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pandawms.cli.exit_codes import ExitCode
from pandawms.cli.terminal import Column, bytes_text
from pandawms.domain.errors import Conflict, NotFound, did_you_mean
from pandawms.wire.dataset import File

if TYPE_CHECKING:
    from pandawms.cli.session import Session
    from pandawms.client import Client
    from pandawms.wire.task import TaskOutput


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file on this machine; `is_new` is false when it was there before."""

    stream: str
    path: str
    size_bytes: int
    adler32: str
    is_new: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of get."""
    parser.add_argument("task", metavar="TASK", help="task name or id")
    parser.add_argument("streams", nargs="*", metavar="OUTPUT", help="only these outputs")
    parser.add_argument("--to", type=Path, default=Path(), metavar="DIR", help="folder to put them in (default: here)")
    parser.add_argument("--force", action="store_true", help="overwrite files that differ")


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Fetches and lists the files; says so when there are none."""
    with session.client() as client:
        outputs = chosen_outputs(client, arguments.task, arguments.streams)
        if not outputs:
            session.terminal.note(f"task {arguments.task} has no outputs")
            return ExitCode.OK
        arguments.to.mkdir(parents=True, exist_ok=True)
        fetched = [
            fetch(client, output.stream, file, arguments.to / file.name, force=arguments.force)
            for output in outputs
            for file in client.datasets.files(output.dataset_id)
        ]
    if not fetched:
        session.terminal.note(f"task {arguments.task} has no output files yet")
        return ExitCode.OK
    show_fetched(fetched, session)
    return ExitCode.OK


def chosen_outputs(client: Client, task: str, streams: list[str]) -> list[TaskOutput]:
    """The named outputs of a task, or all that last; raises NotFound for a name that is none."""
    outputs = {output.stream: output for output in client.tasks.outputs(task)}
    for stream in streams:
        if stream not in outputs:
            near = did_you_mean(stream, outputs)
            hint = f"did you mean {near}?" if near else f"it has {', '.join(outputs) or 'no outputs'}"
            raise NotFound(f"task {task} has no output {stream}", code="no_such_output", field="OUTPUT", value=stream, hint=hint)
    return [outputs[stream] for stream in streams] or [output for output in outputs.values() if not output.is_transient]


def fetch(client: Client, stream: str, file: File, path: Path, *, force: bool = False) -> Fetched:
    """One file to `path`; a file there that differs is only overwritten with `force`, else Conflict is raised."""
    is_new = not _is_same(path, file)
    if is_new and is_taken(path) and not force:
        hint = "move it away, choose another folder with --to, or give --force"
        raise Conflict(f"{path} is there already and differs", code="file_exists", field="--to", value=str(path), hint=hint)
    if is_new:
        client.files.download(file, path)
    return Fetched(stream, str(path), file.size_bytes or path.stat().st_size, file.adler32 or "", is_new)


def is_taken(path: Path) -> bool:
    """Whether anything has this name: a file, a folder, or a link, be it to nothing."""
    return path.exists() or path.is_symlink()


def _is_same(path: Path, file: File) -> bool:
    from pandawms.client.datasets import adler32_of

    return path.is_file() and path.stat().st_size == file.size_bytes and adler32_of(path) == file.adler32


def show_fetched(fetched: list[Fetched], session: Session) -> None:
    """Lists files on this machine."""
    session.terminal.table(
        fetched,
        [
            Column("path", lambda file: file.path),
            Column("output", lambda file: file.stream),
            Column("size_bytes", lambda file: file.size_bytes, lambda file: bytes_text(file.size_bytes), is_number=True),
            Column("adler32", lambda file: file.adler32),
            Column("is_new", lambda file: file.is_new),
        ],
    )
