"""Run a program over files, in one line, and fetch what it makes:

  panda run --inputs 'data/*.txt' --outputs out.txt -- ./prog %IN %OUT

The inputs are uploaded, the program and other files that the command names travel along, the task is followed to its end, and its
outputs are put into this folder. The output of a single job gets the name that --outputs gives it, those of several their full names.
A file of yours that has such a name is never overwritten without --force: it is refused before anything is sent.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from pandawms.cli.exit_codes import ExitCode
from pandawms.cli.get import Fetched, chosen_outputs, fetch, is_taken, show_fetched
from pandawms.domain.errors import Conflict

if TYPE_CHECKING:
    from pandawms.cli.session import Session
    from pandawms.client import Client
    from pandawms.wire.document import TaskDocument
    from pandawms.wire.task import SubmitAnswer


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of run."""
    parser.add_argument("--inputs", action="append", default=[], metavar="PATTERN", help="input files; may be given several times")
    parser.add_argument(
        "--outputs",
        action="append",
        default=[],
        metavar="FILE",
        help="file that the program writes; may be given several times",
    )
    parser.add_argument("--files", action="append", default=[], metavar="PATH", help="more files and folders that the program needs")
    parser.add_argument("--files-per-job", type=int, default=1, metavar="N", help="input files for each job (default 1)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="without --inputs: run it so often (default 1)")
    parser.add_argument("--packages", action="append", default=[], metavar="REQUIREMENT", help="Python packages that it needs")
    parser.add_argument("--python", metavar="VERSION", help="Python that it needs, as in '>=3.11'")
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--memory-mb", type=int, default=1000)
    parser.add_argument("--wall-seconds", type=int, default=3600)
    parser.add_argument("--name", help="name of the task (default: made from the program and the time)")
    parser.add_argument("--detach", action="store_true", help="submit only; do not follow, fetch nothing")
    parser.add_argument("--force", action="store_true", help="let the outputs overwrite files of their names here")
    parser.add_argument("words", nargs="*", metavar="COMMAND", help="the command, after --")


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Submits, follows, fetches; the exit code tells how the task ended."""
    from pandawms.cli.follow import follow
    from pandawms.cli.submit import show_answers

    folder = Path.cwd()
    document = _document(arguments, folder)
    n_jobs = _jobs(document, folder)
    if not (arguments.detach or arguments.force):
        _check_free(document, folder, n_jobs)
    with session.client() as client:
        answer = client.submit(document, folder)
        if arguments.detach:
            show_answers([answer], session)
            return ExitCode.OK
        session.terminal.note(f"task {answer.name} ({answer.task_id})")
        code = follow([str(answer.task_id)], session)
        fetched: list[Fetched] = []
        try:
            _fetch(client, answer, document, folder, fetched, n_jobs=n_jobs, force=arguments.force)
        finally:
            show_fetched(fetched, session)
    if code is not ExitCode.OK:
        session.terminal.note(f"not everything was done: `panda why {answer.task_id}` says why")
    return code


def _document(arguments: argparse.Namespace, folder: Path) -> TaskDocument:
    import msgspec

    from pandawms.cli.one_liner import document_of
    from pandawms.wire.checks import decode_document
    from pandawms.wire.document import EnvironmentSpec, ResourceSpec

    document = document_of(
        arguments.words,
        folder,
        inputs=arguments.inputs,
        outputs=arguments.outputs,
        files=arguments.files,
        files_per_job=arguments.files_per_job,
        n_jobs=arguments.jobs,
        name=arguments.name,
        environment=EnvironmentSpec(python=arguments.python, packages=tuple(arguments.packages)),
        resources=ResourceSpec(cores=arguments.cores, memory_mb=arguments.memory_mb, wall_seconds=arguments.wall_seconds),
    )
    return decode_document(msgspec.json.encode(document))


def _jobs(document: TaskDocument, folder: Path) -> int:
    """How many jobs the task will have; raises Invalid for a pattern that matches no file."""
    from pandawms.client.prepare import listed_files

    spec, split = document.inputs[next(iter(document.inputs))], document.split
    if spec.files is not None:
        return -(-len(listed_files(folder, spec.files, "--inputs")) // (split.files_per_job or 1))
    return spec.count or 1


def _check_free(document: TaskDocument, folder: Path, n_jobs: int) -> None:
    """Raises Conflict for what is in `folder` under a name that an output will get."""
    from pandawms.wire.document_view import output_files

    for stream, local_name in output_files(document).items():
        taken = [folder / local_name] if n_jobs == 1 else _numbered(folder, document.name, stream, local_name)
        for path in filter(is_taken, taken):
            hint = "move it away, go to another folder, or give --force; nothing was submitted"
            raise Conflict(f"{path.name} is there already", code="file_exists", field="--outputs", value=path.name, hint=hint)


def _numbered(folder: Path, task: str, stream: str, local_name: str) -> list[Path]:
    """What has a name that a job's output could get: task, stream, serial, attempt and the suffixes of the local name."""
    suffixes = "".join(PurePosixPath(local_name).suffixes)
    name = re.compile(rf"{re.escape(f'{task}.{stream}')}\.[0-9]{{6,}}\.[0-9]+{re.escape(suffixes)}")
    return sorted(path for path in folder.iterdir() if name.fullmatch(path.name))


def _fetch(client: Client, answer: SubmitAnswer, document: TaskDocument, folder: Path, fetched: list[Fetched], *, n_jobs: int, force: bool) -> None:
    """Fetches all outputs and adds them to `fetched`; the only file of a task of one job gets the name that the program gave it.

    Raises Conflict, after the others were fetched, for the first one that would overwrite a file that differs.
    """
    from pandawms.wire.document_view import output_files

    refused: list[Conflict] = []
    for output in chosen_outputs(client, str(answer.task_id), []):
        files = list(client.datasets.files(output.dataset_id))
        is_only = n_jobs == 1 and len(files) == 1
        for file in files:
            path = folder / (output_files(document).get(output.stream, file.name) if is_only else file.name)
            try:
                fetched.append(fetch(client, output.stream, file, path, force=force))
            except Conflict as error:
                hint = f"the outputs are kept: `panda get {answer.task_id} --to DIR` fetches them into another folder"
                refused.append(Conflict(error.detail, code=error.code, field="--outputs", value=path.name, hint=hint))
    if refused:
        raise refused[0]
