"""What all commands for tasks share: names of tasks or a selection of many, a reason, a preview with a question, and the list of what came of it."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from pandawms.cli.exit_codes import ExitCode
from pandawms.cli.terminal import Column
from pandawms.domain.errors import Invalid

if TYPE_CHECKING:
    from pandawms.cli.session import Session
    from pandawms.client import Client
    from pandawms.wire.command import BulkAnswer, TaskCommand
    from pandawms.wire.task import CommandAnswer

APPLIED_SECONDS = 5.0
"""How long the command waits until the engine has applied it: it prints the status by then, and a `panda watch` after it sees no older one."""
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """A command as it is shown: its subject with its status, and what came of it, empty while it is applied."""

    subject: str
    status: str
    command_id: int
    answer: str = ""


def configure_command(parser: argparse.ArgumentParser, *, may_select: bool = True) -> None:
    """Adds the arguments."""
    references = "task names or ids, job:12 for a job where jobs can be named, - for standard input"
    parser.add_argument("references", nargs="*" if may_select else "+", metavar="TASK", help=references)
    parser.add_argument("--reason", default="", help="kept in the task's history")
    if not may_select:
        return
    group = parser.add_argument_group("many at once, instead of names: yours that match all that is given; shows how many, and asks")
    group.add_argument("--name", action="append", default=[], metavar="PATTERN", help="named so, with * and ?; may be repeated")
    group.add_argument("--status", default="", metavar="WORDS", help="in one of these statuses, with commas between")
    group.add_argument("--older-than", metavar="TIME", help="submitted so long ago: 30m, 12h, 2d, 3w")
    group.add_argument("--owner", metavar="USER", help="of this user, for whom you may command")
    group.add_argument("--all", action="store_true", help="all of them")
    group.add_argument("--yes", action="store_true", help="do not ask")
    group.add_argument("--dry-run", action="store_true", help="only say how many")


def run_command(session: Session, arguments: argparse.Namespace, verb: str, body: TaskCommand) -> ExitCode:
    """Gives the command to each task that is named, or to all that are selected."""
    if selects(arguments):
        return _command_selected(session, arguments, verb, body)
    return command_tasks(session, arguments, lambda client, task: client.tasks.command(task, verb, body))


def selects(arguments: argparse.Namespace) -> bool:
    """Whether many tasks are selected, or are to be counted only: never a command for those that are named."""
    return bool(arguments.name or arguments.status or arguments.older_than or arguments.owner or arguments.all or arguments.dry_run)


def command_tasks(session: Session, arguments: argparse.Namespace, command: Callable[[Client, str], CommandAnswer]) -> ExitCode:
    """Commands each task in turn and lists the answers, each with the status after it was applied, those before a refusal too."""
    answers: list[Applied] = []
    references = session.references(arguments.references)
    try:
        with session.client() as client:
            for reference in references:
                taken = command(client, reference.removeprefix("task:"))
                answers.append(Applied(subject=taken.subject, status=taken.status, command_id=taken.command_id))
            _await_applied(client, references, answers)
    finally:
        if answers:
            _show(answers, session)
    return ExitCode.CONFLICT if any(answer.answer.startswith(("refused", "failed")) for answer in answers) else ExitCode.OK


def _await_applied(client: Client, references: Sequence[str], answers: list[Applied]) -> None:
    """Waits until each command is applied, at most APPLIED_SECONDS for all of them."""
    deadline = time.monotonic() + APPLIED_SECONDS
    for number, reference in enumerate(references):
        state = client.tasks.applied(answers[number].command_id)
        while state.applied_at is None and time.monotonic() < deadline:
            time.sleep(0.1)
            state = client.tasks.applied(answers[number].command_id)
        answer = state.answer or "is being applied"
        answers[number] = msgspec.structs.replace(answers[number], status=_status(client, reference), answer=answer)


def _status(client: Client, reference: str) -> str:
    kind, _, name = reference.rpartition(":")
    return client.jobs.get(int(name)).status if kind == "job" else client.tasks.get(reference.removeprefix("task:")).status


def _show(answers: Sequence[Applied], session: Session) -> None:
    session.terminal.table(
        answers,
        [
            Column("subject", lambda answer: answer.subject),
            Column("status", lambda answer: answer.status),
            Column("command_id", lambda answer: answer.command_id, is_number=True),
            Column("answer", lambda answer: answer.answer),
        ],
    )


def _command_selected(session: Session, arguments: argparse.Namespace, verb: str, body: TaskCommand) -> ExitCode:
    """Counts first, asks, and is refused when another number of tasks takes the command by then."""
    from pandawms.wire.command import BulkCommand, said

    if arguments.references:
        raise Invalid("tasks are named, and selected", code="usage", field="TASK", value=arguments.references[0],
                      hint="give names, or a selection; --dry-run counts a selection only, as in --dry-run --name NAME")  # fmt: skip
    given = BulkCommand(verb=verb, selector=selector(arguments), arguments=said(body), dry_run=True)  # type: ignore[arg-type]  # the caller's verbs are those
    with session.client() as client:
        preview = client.tasks.command_many(given)
        if arguments.dry_run:
            session.terminal.record(preview, _fields(preview))
            return ExitCode.OK
        if not preview.n_accepted:
            session.terminal.note(f"no task takes it: {_refused(preview) or 'none is selected'}")
            return ExitCode.CONFLICT
        if not arguments.yes and not _confirmed(session, verb, preview):
            session.terminal.note("nothing was done")
            return ExitCode.CONFLICT
        done = client.tasks.command_many(msgspec.structs.replace(given, dry_run=False, expected_count=preview.n_accepted))
        session.terminal.record(done, _fields(done))
    return ExitCode.OK


def selector(arguments: argparse.Namespace) -> Any:
    """What is selected by the arguments."""
    from pandawms.wire.command import TaskSelector

    older = None if arguments.older_than is None else seconds(arguments.older_than)
    return TaskSelector(
        names=tuple(arguments.name), statuses=tuple(word.strip() for word in arguments.status.split(",") if word.strip()), owner=arguments.owner,
        older_than_seconds=older, all=arguments.all,
    )  # fmt: skip


def seconds(text: str) -> float:
    """The seconds of a time such as 30m, 12h, 2d or 3w."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text)
    if found is None:
        raise Invalid(f"{text} is no time", code="usage", field="--older-than", value=text, allowed="a number with s, m, h, d or w", hint="as in 2d")
    return float(found[1]) * SECONDS[found[2]]


def _confirmed(session: Session, verb: str, preview: BulkAnswer) -> bool:
    """Shows what would be done and asks, on a terminal; elsewhere it takes --yes."""
    terminal = session.terminal
    if not terminal.is_tty:
        raise Invalid(f"{verb} {_tasks(preview.n_accepted)}?", code="not_confirmed", field="--yes", hint="say --yes to do it, or --dry-run to count")
    for task in preview.sample:
        terminal.note(f"  {task.task_id}  {task.status:<10}  {task.name}")
    if preview.n_accepted > len(preview.sample):
        terminal.note(f"  and {preview.n_accepted - len(preview.sample):,} more")
    terminal.note(f"{verb} {_tasks(preview.n_accepted)}? [y/N]{f' (not: {_refused(preview)})' if preview.refused else ''}")
    return terminal.stdin.readline().strip().lower() in ("y", "yes")


def _tasks(n: int) -> str:
    return f"{n:,} task{'s' * (n != 1)}"


def _refused(answer: BulkAnswer) -> str:
    return ", ".join(f"{n:,} {why}" for why, n in sorted(answer.refused.items()))


def _fields(answer: BulkAnswer) -> dict[str, Any]:
    return {"selected": answer.n_selected, "accepted": answer.n_accepted, "asked": answer.n_asked, "refused": _refused(answer)}


def configure_changes(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments that change a task's document."""
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="change a field of the task, as in inputs.events.count=9000; "
                        "nothing after the = takes it away; may be repeated")  # fmt: skip


def changes_of(given: Sequence[str]) -> dict[str, Any]:
    """Changes of a document given as field=value, with dots between the steps and values as in YAML."""
    from pandawms.cli.yaml_text import parse_yaml

    found: dict[str, Any] = {}
    for each in given:
        path, equals, text = each.partition("=")
        *steps, last = path.split(".")
        if not equals or not all((*steps, last)):
            raise Invalid(f"{each} is not field=value", code="usage", field="--set", value=each, hint="write for example --set inputs.events.count=100")
        place = found
        for step in steps:
            place = place.setdefault(step, {})
            if not isinstance(place, dict):
                raise Invalid(f"{path} leads through a value", code="usage", field="--set", value=each, hint=f"{step} is given twice")
        place[last] = parse_yaml(text, "--set") if text else None
    return found


def words_of(text: str | None) -> tuple[str, ...]:
    """The words of a list with commas between."""
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())
