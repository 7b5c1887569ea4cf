"""Say why a task or job waits, runs slowly or failed, and what could be done."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pandawms.cli.escaping import one_line
from pandawms.cli.exit_codes import ExitCode
from pandawms.cli.references import parse_reference, resolved
from pandawms.cli.terminal import Terminal, age_text
from pandawms.wire.why import Why

if TYPE_CHECKING:
    from pandawms.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of why."""
    parser.add_argument("references", nargs="+", metavar="TASK", help="task names or ids, job:ID for jobs, - for standard input")


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Explains each of them."""
    references = session.references(arguments.references)
    with session.client() as client:
        for text in references:
            why: Why = resolved(parse_reference(text), client.tasks.why, client.jobs.why)
            if session.terminal.as_json:
                session.terminal.json(why)
            else:
                _show(why, session.terminal)
    return ExitCode.OK


def _show(why: Why, terminal: Terminal) -> None:
    terminal.line(one_line(f"{why.subject} ({why.status}): {why.headline}"))
    for cause in why.causes:
        since = f", since {age_text(cause.since)}" if cause.since else ""
        numbers = f" (limit {cause.limit}, here {cause.value})" if cause.limit is not None else ""
        terminal.line(one_line(f"- {cause.text}{numbers}{since}"))
    for rejection in why.rejections:
        terminal.line(one_line(f"- queue {rejection.queue}: {rejection.reason} ({rejection.rule})"))
    for advice in why.advice:
        terminal.line(one_line(f"> {advice}"))
