"""Submit tasks from YAML or TOML files.

The program's files and local input files travel along. All files are checked before the first task is submitted.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pandawms.cli.exit_codes import ExitCode
from pandawms.cli.terminal import Column
from pandawms.domain.errors import Invalid

if TYPE_CHECKING:
    from pandawms.cli.session import Session
    from pandawms.cli.task_files import TaskFile
    from pandawms.wire.task import SubmitAnswer


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of submit."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="task files")
    parser.add_argument(
        "--set",
        dest="changes",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a value, as in inputs.events.count=100",
    )
    parser.add_argument("--name", help="call the task so (one file only)")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--dry-run", action="store_true", help="show jobs, split, inputs and candidate queues; queue nothing")
    how.add_argument("--try", dest="try_first", action="store_true", help="run the first job here at once; queue nothing")
    how.add_argument("--wait", action="store_true", help="follow the tasks until they end")


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Submits; with --wait the exit code tells how the tasks ended."""
    from pandawms.cli.task_files import read_task_file

    if arguments.name and len(arguments.files) > 1:
        raise Invalid(
            "--name is for one file",
            code="usage",
            field="--name",
            value=arguments.name,
            hint="submit the files one by one",
        )
    files = [read_task_file(path, arguments.changes, arguments.name) for path in arguments.files]
    _check_names(arguments.files, files)
    if arguments.try_first:
        from pandawms.cli.trial import try_first_job

        return max(try_first_job(file, session) for file in files)
    if arguments.dry_run:
        from pandawms.cli.plan import show_plan

        return max(show_plan(file, session) for file in files)
    answers = _submitted(files, session)
    if arguments.wait:
        from pandawms.cli.follow import follow

        return follow([str(answer.task_id) for answer in answers], session)
    show_answers(answers, session)
    return ExitCode.OK


def _check_names(paths: Sequence[Path], files: Sequence[TaskFile]) -> None:
    first: dict[str, Path] = {}
    for path, file in zip(paths, files, strict=True):
        name = file.document.name
        if name in first:
            hint = "give each task its own name; nothing was submitted"
            raise Invalid(f"{first[name]} and {path} have the same name", code="name_collides", field="name", value=name, hint=hint)
        first[name] = path


def _submitted(files: Sequence[TaskFile], session: Session) -> list[SubmitAnswer]:
    """Uploads what all of them need, then submits one after the other; those before a refusal are listed."""
    answers: list[SubmitAnswer] = []
    with session.client() as client:
        ready = [client.prepare(file.document, file.folder) for file in files]
        try:
            for document in ready:
                answers.append(client.tasks.submit(document))
        finally:
            if 0 < len(answers) < len(ready):
                show_answers(answers, session)
    return answers


def show_answers(answers: list[SubmitAnswer], session: Session) -> None:
    """Lists what was submitted."""
    session.terminal.table(
        answers,
        [
            Column("task_id", lambda answer: answer.task_id, is_number=True),
            Column("name", lambda answer: answer.name),
            Column("status", lambda answer: answer.status),
        ],
    )
