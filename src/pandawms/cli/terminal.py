"""Output: tables for people, tab-separated values for pipes, JSON for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TextIO, TypeVar

from pandawms.cli.escaping import escaped, escaped_json

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """One column: its title, its full value, and how a person reads it (the value as text unless given)."""

    title: str
    value: Callable[[Row], Any]
    human: Callable[[Row], str] | None = None
    is_number: bool = False

    def shown(self, row: Row) -> str:
        """The value for a person."""
        return escaped(self.human(row) if self.human is not None else plain(self.value(row)))


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where output goes. `is_tty` is true for a terminal, `as_json` when --json was given.

    Whatever passes through it has its control characters escaped, as it may be text of a job or of another user.
    """

    stdin: TextIO
    stdout: TextIO
    stderr: TextIO
    is_tty: bool
    as_json: bool = False
    colour: bool = True

    def table(self, rows: Iterable[Row], columns: Sequence[Column[Row]]) -> None:
        """A list: JSON array, tab-separated lines with a header, or a table."""
        if self.as_json:
            self.json(list(rows))
        elif self.is_tty:
            self._rich_table(rows, columns)
        else:
            self.line("\t".join(column.title for column in columns))
            for row in rows:
                self.line("\t".join(cell(column.value(row)) for column in columns))

    def record(self, thing: object, fields: Mapping[str, Any]) -> None:
        """One thing: JSON of all of it, or its fields line by line; fields that are None are left out for people."""
        if self.as_json:
            self.json(thing)
        elif not self.is_tty:
            for name, value in fields.items():
                self.line(f"{name}\t{cell(value)}")
        else:
            shown = {name: plain(value) for name, value in fields.items() if value not in (None, "", {}, ())}
            width = max(map(len, shown), default=0)
            for name, value in shown.items():
                self.line(f"{name:<{width}}  {value}".replace("\n", "\n" + " " * (width + 2)))

    def json(self, value: object) -> None:
        """JSON, indented for people."""
        import msgspec

        encoded = msgspec.json.encode(value)
        text = (msgspec.json.format(encoded, indent=2) if self.is_tty else encoded).decode()
        self.stdout.write(f"{escaped_json(text)}\n")

    def line(self, text: str = "") -> None:
        """One line of output."""
        self.stdout.write(f"{escaped(text)}\n")

    def note(self, text: str) -> None:
        """One line beside the output, for people (standard error)."""
        self.stderr.write(f"{escaped(text)}\n")
        self.stderr.flush()

    def _rich_table(self, rows: Iterable[Row], columns: Sequence[Column[Row]]) -> None:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, header_style="bold", pad_edge=False, show_edge=False)
        for column in columns:
            table.add_column(column.title, justify="right" if column.is_number else "left", overflow="fold")
        n_rows = 0
        for row in rows:
            table.add_row(*(Text(column.shown(row), style=style_of(column.shown(row))) for column in columns))
            n_rows += 1
        if n_rows:
            self.console().print(table)
        else:
            self.line("nothing to show")

    def console(self) -> Any:
        """A console of rich on the standard output."""
        from rich.console import Console

        return Console(file=self.stdout, no_color=not self.colour, highlight=False)


STYLES = {
    "done": "green",
    "finished": "yellow",
    "failed": "red",
    "broken": "red",
    "aborted": "red",
    "running": "cyan",
    "online": "green",
    "offline": "red",
}


def style_of(text: str) -> str:
    """The colour of a status word; other text has none."""
    return STYLES.get(text, "")


def plain(value: Any) -> str:
    """A value as a person reads it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain(item)}" for key, item in value.items())
    if isinstance(value, (tuple, list)):
        return ", ".join(map(plain, value))
    return str(value)


def cell(value: Any) -> str:
    """A value in a line of tab-separated values: complete, times in UTC, no tab and no line end inside."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, (dict, list, tuple)):
        import msgspec

        return msgspec.json.encode(value).decode()
    return str(value).replace("\t", " ").replace("\r", " ").replace("\n", " ")


def bytes_text(size_bytes: int | None) -> str:
    """A size for a person, in powers of 1024."""
    if size_bytes is None:
        return "-"
    size = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def seconds_text(seconds: float | None) -> str:
    """A time span for a person."""
    if seconds is None:
        return "-"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 172_800:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def age_text(at: datetime | None) -> str:
    """How long ago something was."""
    return "-" if at is None else f"{seconds_text(max(0.0, (datetime.now(UTC) - at).total_seconds()))} ago"
