"""Print what a job wrote: its standard output and error, or any file of its log folder.

Control characters are shown on a terminal, not sent to it (--raw sends them); a pipe and --to get the bytes as they are.
A bare number is a job; for a task its job that failed last is taken, else the one that ended last.
"""

from __future__ import annotations

import argparse
import io
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from pandawms.cli.escaping import escaped
from pandawms.cli.exit_codes import ExitCode
from pandawms.cli.references import parse_reference, resolved
from pandawms.cli.terminal import Terminal
from pandawms.domain.errors import NotFound, did_you_mean

if TYPE_CHECKING:
    from pandawms.cli.session import Session
    from pandawms.client import Client

PRINTED = "payload."
"""Files with what a program wrote begin so; one that runs in steps has two for each."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of logs."""
    parser.add_argument("reference", metavar="JOB", help="job id, or a task's name")
    parser.add_argument("--file", help="print this file of the log folder")
    parser.add_argument("--list", action="store_true", help="list the files of the log folder")
    parser.add_argument("--raw", action="store_true", help="on a terminal too: write control characters as they are")
    parser.add_argument("--to", type=Path, metavar="FILE", help="save the whole log folder as FILE (tar.gz)")


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Prints."""
    with session.client() as client:
        reference = parse_reference(arguments.reference, number_is="job")
        archive = resolved(reference, lambda name: client.jobs.log(_job_of_task(client, name)), client.jobs.log)
    if arguments.to is not None:
        arguments.to.write_bytes(archive)
        return ExitCode.OK
    files = unpacked(archive)
    if session.terminal.as_json:
        session.terminal.json({name: content.decode(errors="replace") for name, content in _chosen(files, arguments.file).items()})
    elif arguments.list:
        for name, content in files.items():
            session.terminal.line(f"{name}\t{len(content)}")
    else:
        show_files(_chosen(files, arguments.file), session.terminal, raw=arguments.raw)
    return ExitCode.OK


def unpacked(archive: bytes) -> dict[str, bytes]:
    """The plain files of a log archive, by name."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        members = [member for member in tar.getmembers() if member.isfile()]
        return {member.name.removeprefix("./"): content.read() for member in members if (content := tar.extractfile(member))}


def _chosen(files: dict[str, bytes], name: str | None) -> dict[str, bytes]:
    if name is None:
        return {found: content for found, content in files.items() if found.rsplit("/", 1)[-1].startswith(PRINTED)} or files
    found = next((path for path in files if path == name or path.rsplit("/", 1)[-1] == name), None)
    if found is None:
        near = did_you_mean(name, files)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(files)}"
        raise NotFound(f"the log has no file {name}", code="no_such_file", field="--file", value=name, hint=hint)
    return {found: files[found]}


def show_files(files: dict[str, bytes], terminal: Terminal, *, raw: bool = False) -> None:
    """Writes files one after the other: their bytes, or on a terminal (unless `raw`) text without control characters."""
    for number, (name, content) in enumerate(files.items()):
        is_last = number + 1 == len(files)
        if len(files) > 1 and content:
            terminal.note(f"==> {name} <==")
        if raw or not terminal.is_tty:
            _write_bytes(content if is_last or not content else _with_line_end(content), terminal)
        elif content:
            terminal.stdout.write(escaped(_with_line_end(content).decode("utf-8", "replace")))
        terminal.stdout.flush()


def _with_line_end(content: bytes) -> bytes:
    return content if content.endswith(b"\n") else content + b"\n"


def _write_bytes(content: bytes, terminal: Terminal) -> None:
    terminal.stdout.flush()
    terminal.stdout.buffer.write(content)
    terminal.stdout.buffer.flush()


def _job_of_task(client: Client, name: str) -> int:
    ended = [job for job in client.tasks.jobs(name) if job.ended_at is not None]
    chosen = [job for job in ended if job.status == "failed"] or ended
    if not chosen:
        raise NotFound(f"no job of {name} has ended yet", code="no_log", field="JOB", value=name, hint=f"panda watch {name}")
    return max(chosen, key=lambda job: (job.ended_at is not None and job.ended_at.timestamp(), job.job_id)).job_id
