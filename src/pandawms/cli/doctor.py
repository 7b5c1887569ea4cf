"""Check what this command needs to work: Python, the server, the token, the parts of the system, queues and clocks."""

from __future__ import annotations

import argparse
import platform
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pandawms.cli.exit_codes import ExitCode, code_of
from pandawms.cli.terminal import Column, bytes_text
from pandawms.domain.errors import Denied, PandaError

if TYPE_CHECKING:
    from pandawms.cli.session import Session
    from pandawms.client import Client

LARGEST_SKEW_SECONDS = 5.0
LEAST_FREE_BYTES = 1024**3


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at; `code` is the exit code when it is not well."""

    name: str
    ok: bool
    detail: str
    hint: str = ""
    code: int = ExitCode.FAILED


def configure(parser: argparse.ArgumentParser) -> None:
    """Doctor has no arguments of its own."""


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Lists all findings; the exit code is that of the first one that is not well."""
    findings = [msgspec.structs.replace(finding, hint="") if finding.ok else finding for finding in _findings(session)]
    session.terminal.table(
        findings,
        [
            Column("check", lambda finding: finding.name),
            Column("ok", lambda finding: finding.ok),
            Column("detail", lambda finding: finding.detail),
            Column("hint", lambda finding: finding.hint),
        ],
    )
    return next((finding.code for finding in findings if not finding.ok), ExitCode.OK)


def _findings(session: Session) -> Iterator[Finding]:
    yield Finding(name="python", ok=True, detail=f"{platform.python_version()}, panda {version('pandawms')}")
    free_bytes = shutil.disk_usage(Path.home()).free
    yield Finding(
        name="disk",
        ok=free_bytes > LEAST_FREE_BYTES,
        detail=f"{bytes_text(free_bytes)} free",
        hint="make room in your home folder",
    )
    try:
        context = session.context
        yield Finding(name="address", ok=True, detail=f"{context.url} (from {context.source})")
        with session.client() as client:
            yield from _server(client)
    except PandaError as error:
        yield Finding(name="server", ok=False, detail=error.detail, hint=error.hint or "", code=code_of(error))


def _server(client: Client) -> Iterator[Finding]:
    remote = client.system.version()
    yield Finding(name="server", ok=True, detail=f"version {remote.version}, api {remote.api}, schema {remote.schema}")
    try:
        who = client.system.whoami()
        yield Finding(name="token", ok=True, detail=f"{who.user} of {who.community}, scopes {', '.join(who.scopes)}")
    except Denied as error:
        yield Finding(name="token", ok=False, detail=error.detail, hint=error.hint or "", code=ExitCode.DENIED)
        return
    health = client.system.health()
    skew = abs((datetime.now(UTC) - health.server_time).total_seconds())
    yield Finding(
        name="clock",
        ok=skew < LARGEST_SKEW_SECONDS,
        detail=f"{skew:.1f} s from the server's",
        hint="set this machine's clock",
    )
    for check in health.checks:
        yield Finding(name=check.name, ok=check.ok, detail=check.detail, code=ExitCode.UNAVAILABLE)
    online = [queue for queue in client.queues.list() if queue.status == "online"]
    detail = ", ".join(f"{queue.name} ({queue.slots} slots, {queue.n_workers} workers)" for queue in online)
    yield Finding(name="queues", ok=bool(online), detail=detail or "none is online", hint="" if online else "panda ls queues")
