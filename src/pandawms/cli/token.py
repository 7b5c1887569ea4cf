"""Make, list and revoke tokens for scripts, users and pilots. A token is shown once and kept by nobody."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pandawms.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from pandawms.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of token."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="create|list|revoke")
    create = actions.add_parser("create", help="make a token and print it")
    create.add_argument(
        "--scope",
        dest="scopes",
        action="append",
        choices=("user", "pilot", "operator"),
        help="what it may be used for (default user)",
    )
    create.add_argument("--queue", help="with --scope pilot: the queue whose pilots use it")
    create.add_argument("--user", help="for this user (operators only)")
    create.add_argument("--name", default="", help="what it is for")
    create.add_argument("--days", type=float, default=30.0, help="how long it is good for (default 30)")
    actions.add_parser("list", help="list your tokens, never their texts")
    revoke = actions.add_parser("revoke", help="make a token worthless")
    revoke.add_argument("token_id", metavar="TOKEN_ID")


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Prints a new token alone on standard output, what it is on standard error."""
    from pandawms.cli.columns import TOKENS
    from pandawms.wire.token import TokenRequest

    with session.client() as client:
        if arguments.action == "revoke":
            client.tokens.revoke(arguments.token_id)
            session.terminal.note(f"token {arguments.token_id} is worthless now")
            return ExitCode.OK
        if arguments.action == "list":
            session.terminal.table(client.tokens.list(), TOKENS)
            return ExitCode.OK
        created = client.tokens.create(
            TokenRequest(
                scopes=tuple(arguments.scopes or ("user",)),
                name=arguments.name,
                queue=arguments.queue,
                user=arguments.user,
                lifetime_seconds=round(arguments.days * 86_400),
            )
        )
    if session.terminal.as_json:
        session.terminal.json(created)
    else:
        scopes = ", ".join(created.scopes)
        session.terminal.note(f"token {created.token_id} for {created.user} ({scopes}), good until {created.expires_at:%Y-%m-%d %H:%M} UTC")
        session.terminal.line(created.token)
    return ExitCode.OK
