"""Run a program over files, in one line, and fetch what it makes:

  panda run --inputs 'data/*.txt' --outputs out.txt -- ./prog %IN %OUT

The inputs are uploaded, the program and other files that the command names travel along, the task is followed to its end, and its
outputs are put into this folder.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pandawms.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from pandawms.cli.get import Fetched
    from pandawms.cli.session import Session
    from pandawms.client import Client
    from pandawms.wire.task import TaskDocument


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
    parser.add_argument("words", nargs="*", metavar="COMMAND", help="the command, after --")


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Submits, follows, fetches; the exit code tells how the task ended."""
    from pandawms.cli.follow import follow
    from pandawms.cli.get import show_fetched
    from pandawms.cli.submit import show_answers

    folder = Path.cwd()
    document = _document(arguments, folder)
    with session.client() as client:
        answer = client.submit(document, folder)
        if arguments.detach:
            show_answers([answer], session)
            return ExitCode.OK
        session.terminal.note(f"task {answer.name} ({answer.task_id})")
        code = follow([str(answer.task_id)], session)
        fetched = _fetch(client, answer.task_id, folder)
    show_fetched(fetched, session)
    if code is not ExitCode.OK:
        session.terminal.note(f"not everything was done: `panda why {answer.task_id}` says why")
    return code


def _document(arguments: argparse.Namespace, folder: Path) -> TaskDocument:
    import msgspec

    from pandawms.cli.one_liner import document_of
    from pandawms.wire.checks import decode_document
    from pandawms.wire.task import EnvironmentSpec, ResourceSpec

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


def _fetch(client: Client, task_id: int, folder: Path) -> list[Fetched]:
    """Fetches all outputs; the only file of an output gets the name that the program gave it."""
    from pandawms.cli.get import chosen_outputs, fetch

    task = client.tasks.get(task_id)
    local_names = task.document.outputs if task.document is not None else {}
    fetched = []
    for output in chosen_outputs(client, str(task_id), []):
        files = list(client.datasets.files(output.dataset_id))
        for file in files:
            name = local_names.get(output.stream, file.name) if len(files) == 1 else file.name
            fetched.append(fetch(client, output.stream, file, folder / name, force=len(files) == 1))
    return fetched
