"""Following tasks: asking how they stand until all have ended, and showing it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from pandawms.cli.exit_codes import ExitCode
from pandawms.cli.session import WATCH_PATIENCE_SECONDS
from pandawms.cli.terminal import Terminal, cell, seconds_text, style_of
from pandawms.client.tasks import is_over
from pandawms.wire.task import TaskDetail

if TYPE_CHECKING:
    from pandawms.cli.session import Session


class View(Protocol):
    """Shows a task each time it has changed."""

    def update(self, task: TaskDetail) -> None:
        """Shows how it stands now."""


def follow(names: Sequence[str], session: Session, interval_seconds: float = 1.0) -> ExitCode:
    """Shows tasks until all have ended; FAILED unless all of them are done. The server may be away for ten minutes."""
    last: dict[str, TaskDetail] = {}
    with session.client(WATCH_PATIENCE_SECONDS) as client, _view(session.terminal) as view:
        while True:
            for name in names:
                if name not in last or not is_over(last[name]):
                    task = client.tasks.get(name)
                    if task != last.get(name):
                        view.update(task)
                    last[name] = task
            if all(is_over(task) for task in last.values()):
                break
            time.sleep(interval_seconds)
    return ExitCode.OK if all(task.status == "done" for task in last.values()) else ExitCode.FAILED


@contextmanager
def _view(terminal: Terminal) -> Iterator[View]:
    if terminal.is_tty and not terminal.as_json:
        with _bars(terminal) as bars:
            yield bars
    else:
        yield Lines(terminal)


def eta_text(task: TaskDetail) -> str:
    """The remaining time as a range, empty when nothing can be said."""
    low, high = task.eta_low_seconds, task.eta_high_seconds
    if low is None or high is None or is_over(task):
        return ""
    low_text, high_text = seconds_text(low), seconds_text(high)
    return low_text if low_text == high_text else f"{low_text} - {high_text}"


def progress_of(task: TaskDetail) -> tuple[int, int]:
    """How many units are finished and how many there are, in the task's own unit (files, events or pieces)."""
    if task.unit == "events" and task.events_total is not None:
        return task.events_finished or 0, task.events_total
    return task.inputs.finished, task.inputs.total


class Lines:
    """One line for each change: tab-separated, or a JSON object."""

    TITLES = (
        "at",
        "task_id",
        "name",
        "status",
        "unit",
        "finished",
        "total",
        "failed",
        "running",
        "retries",
        "eta_low_seconds",
        "eta_high_seconds",
    )

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        if not terminal.as_json:
            terminal.line("\t".join(self.TITLES))

    def update(self, task: TaskDetail) -> None:
        """Writes the line."""
        finished, total = progress_of(task)
        if self._terminal.as_json:
            self._terminal.json(task)
        else:
            values = (
                datetime.now(UTC).replace(microsecond=0),
                task.task_id,
                task.name,
                task.status,
                task.unit,
                finished,
                total,
                task.inputs.failed,
                _n_running(task),
                task.retries,
                task.eta_low_seconds,
                task.eta_high_seconds,
            )
            self._terminal.line("\t".join(map(cell, values)))
        self._terminal.stdout.flush()


class Bars:
    """One bar for each task."""

    def __init__(self, progress: Any) -> None:
        self._progress = progress
        self._bars: dict[int, Any] = {}

    def update(self, task: TaskDetail) -> None:
        """Moves the task's bar."""
        finished, total = progress_of(task)
        if task.task_id not in self._bars:
            self._bars[task.task_id] = self._progress.add_task(task.name, total=None, unit=task.unit, state="", eta="")
        bar = self._bars[task.task_id]
        eta = eta_text(task)
        self._progress.update(
            bar,
            completed=finished,
            total=total or None,
            state=state_text(task),
            eta=f"eta {eta}" if eta else "",
        )
        if is_over(task):
            self._progress.stop_task(bar)


def state_text(task: TaskDetail) -> str:
    """What stands behind a bar: status, jobs running, retries, failures."""
    colour = style_of(task.status)
    parts = [f"[{colour}]{task.status}[/]" if colour else task.status]
    parts += [f"{_n_running(task)} running"] if _n_running(task) else []
    parts += [f"{task.jobs['merging']} to merge"] if task.jobs.get("merging") else []
    parts += [f"{task.retries} {'retry' if task.retries == 1 else 'retries'}"] if task.retries else []
    parts += [f"[red]{task.inputs.failed} failed[/]"] if task.inputs.failed else []
    return ", ".join(parts)


@contextmanager
def _bars(terminal: Terminal) -> Iterator[Bars]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}, {task.fields[state]}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[eta]}"),
    )
    with Progress(*columns, console=terminal.console(), refresh_per_second=4) as progress:
        yield Bars(progress)


def _n_running(task: TaskDetail) -> int:
    """How many jobs run, those that store their outputs among them."""
    return task.jobs.get("running", 0) + task.jobs.get("stageout", 0)
