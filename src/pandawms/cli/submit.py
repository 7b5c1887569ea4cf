"""Submit tasks from YAML or TOML files.

The program's files and local input files travel along. All files are checked before the first task is submitted.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pandawms.cli.exit_codes import ExitCode
from pandawms.cli.terminal import Column

if TYPE_CHECKING:
    from pandawms.cli.session import Session
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
    from pandawms.domain.errors import Invalid

    if arguments.name and len(arguments.files) > 1:
        raise Invalid(
            "--name is for one file",
            code="usage",
            field="--name",
            value=arguments.name,
            hint="submit the files one by one",
        )
    files = [read_task_file(path, arguments.changes, arguments.name) for path in arguments.files]
    if arguments.try_first:
        from pandawms.cli.trial import try_first_job

        return max(try_first_job(file, session) for file in files)
    if arguments.dry_run:
        from pandawms.cli.plan import show_plan

        return max(show_plan(file, session) for file in files)
    with session.client() as client:
        answers = [client.submit(file.document, file.folder) for file in files]
    if arguments.wait:
        from pandawms.cli.follow import follow

        return follow([str(answer.task_id) for answer in answers], session)
    show_answers(answers, session)
    return ExitCode.OK


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
