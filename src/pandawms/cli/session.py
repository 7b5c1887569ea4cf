"""What a command has at hand: the terminal, the client, and what the composition root registered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pandawms.cli.registry import Command
from pandawms.cli.terminal import Terminal
from pandawms.domain.errors import Invalid

if TYPE_CHECKING:
    from pandawms.client import Client, Context
    from pandawms.domain.outcome import Outcome
    from pandawms.wire.pilot import JobSpec, WrittenFile

TryJob: TypeAlias = "Callable[[JobSpec, Path, Path, Path], tuple[Outcome, tuple[WrittenFile, ...]]]"
"""Runs one job here: its spec, a work folder that does not exist yet, the folder for its outputs, a folder for what is kept."""

PATIENCE_SECONDS = 5.0
"""How long a short command asks a server that does not answer."""
WATCH_PATIENCE_SECONDS = 600.0
"""How long a command that follows tasks bears a server that is away: long enough for a restart or a repair."""


@dataclass
class Session:
    """One call of a command."""

    terminal: Terminal
    url: str | None = None
    token: str | None = None
    data: Path | None = None
    commands: Sequence[Command] = ()
    try_job: TryJob | None = None
    cache_dir: Path = field(default_factory=lambda: Path.home() / ".cache/panda/try")

    @cached_property
    def context(self) -> Context:
        """The system this command speaks to."""
        from pandawms.client.context import find_context

        return find_context(self.url, self.token, self.data)

    @contextmanager
    def client(self, patience_seconds: float = PATIENCE_SECONDS) -> Iterator[Client]:
        """A client of the system; it asks again for `patience_seconds` when there is no answer."""
        from pandawms.client import Client, RetryPolicy

        context = self.context
        with Client(context.url, context.token or "", retry=RetryPolicy(total_seconds=patience_seconds)) as client:
            yield client

    def references(self, given: Sequence[str]) -> list[str]:
        """Names and ids as given; `-` stands for the first column of the lines of standard input, its header left out."""
        found: list[str] = []
        for reference in given:
            found.extend(self._piped() if reference == "-" else [reference])
        if not found:
            raise Invalid(
                "nothing was named",
                code="nothing_named",
                hint="give names or ids, or - to read them from standard input",
            )
        return list(dict.fromkeys(found))

    def _piped(self) -> Iterator[str]:
        for number, line in enumerate(self.terminal.stdin):
            word = line.split("\t")[0].strip()
            if word and not (number == 0 and word in ("task_id", "job_id", "name")):
                yield word
