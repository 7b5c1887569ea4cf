"""Process again what was not processed in tasks that have ended, and in the tasks that read their outputs.

panda retry my-task --reason "the license server is back"
panda retry my-task --only missing --attempts 5
panda retry my-task --set resources.memory_mb=4000     with another parameter
panda retry --all --status finished,failed --older-than 1d
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from pandawms.cli.commanding import changes_of, configure_changes, configure_command, run_command, words_of
from pandawms.domain.errors import Invalid, did_you_mean

if TYPE_CHECKING:
    from pandawms.cli.session import Session

KINDS = ("failed", "missing", "lost", "all")


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of retry."""
    configure_command(parser)
    parser.add_argument("--only", metavar="WORDS", help="failed, missing or lost inputs, with commas between; all unless given")
    parser.add_argument("--attempts", type=int, metavar="N", help="so many attempts more for each of them (3 unless given)")
    configure_changes(parser)
    parser.add_argument("--sole", action="store_true", help="not the tasks that read its outputs")
    parser.add_argument("--keep", action="store_true", help="keep priority and share as they were set")
    parser.add_argument("--transcend", action="store_true", help="limits on failures do not end it again")


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Asks for it, for each task; the first refusal ends the command."""
    from pandawms.wire.command import RetryCommand

    kinds = _kinds(words_of(arguments.only))
    return run_command(session, arguments, "retry", RetryCommand(
        reason=arguments.reason, only=kinds, attempts=arguments.attempts, changes=changes_of(arguments.set), sole=arguments.sole,
        keep=arguments.keep, transcend=arguments.transcend,
    ))  # fmt: skip


def _kinds(words: tuple[str, ...]) -> Any:
    for word in words:
        if word not in KINDS:
            near = did_you_mean(word, KINDS)
            hint = f"did you mean {near}?" if near else "leave it out for all"
            raise Invalid(f"{word} is no kind of input", code="usage", field="--only", value=word, allowed=", ".join(KINDS), hint=hint)
    return words
