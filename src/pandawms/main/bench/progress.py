"""What a person sees while the benchmark runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID


class Progress(Protocol):
    """Told what happens now, and when a part is done."""

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""

    def say(self, what: str) -> None:
        """Shows what is done now."""

    def advance(self, weight: int) -> None:
        """Shows that a part of this weight is done."""


@dataclass(slots=True)
class Lines:
    """A line for each thing that is begun: for a log."""

    stream: TextIO
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self.began

    def say(self, what: str) -> None:
        """Writes a line with the minute and second."""
        minutes, seconds = divmod(int(self.seconds), 60)
        self.stream.write(f"{minutes:>3}:{seconds:02d}  {what}\n")
        self.stream.flush()

    def advance(self, weight: int) -> None:
        """Nothing: the next line says it."""


@dataclass(slots=True)
class Bar:
    """A bar that fills, with what runs now: for a terminal."""

    shown: RichProgress
    task: TaskID
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self.began

    def say(self, what: str) -> None:
        """Shows what runs now behind the bar."""
        self.shown.update(self.task, description=what)

    def advance(self, weight: int) -> None:
        """Fills the bar further."""
        self.shown.advance(self.task, weight)


@contextmanager
def shown(stream: TextIO, total: int) -> Iterator[Progress]:
    """Shows the progress of work of this total weight for the length of the block: a bar on a terminal, else lines."""
    if not stream.isatty():
        yield Lines(stream)
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as RichProgress

    columns = (BarColumn(bar_width=30), TimeElapsedColumn(), TextColumn("{task.description}"))
    with RichProgress(*columns, console=Console(file=stream), refresh_per_second=2, transient=True) as progress:
        yield Bar(progress, progress.add_task("starting", total=total))
