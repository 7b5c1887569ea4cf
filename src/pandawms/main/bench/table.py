"""The table that a benchmark prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pandawms.main.bench.figures import rows
from pandawms.main.bench.meter import machine

if TYPE_CHECKING:
    from rich.console import Console

    from pandawms.main.bench.session import Result

WIDTH = 150
"""Where the output is no terminal."""


def print_table(result: Result, console: Console, *, is_tty: bool) -> None:
    """Prints machine, figures and notes; on a terminal in its width."""
    from rich.table import Table
    from rich.text import Text

    if not is_tty:
        console.width = WIDTH
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title, side in (("figure", "left"), ("what it is", "left"), ("min", "right"), ("median", "right"), ("max", "right"), ("unit", "left")):
        table.add_column(title, justify="right" if side == "right" else "left", no_wrap=title != "what it is")
    table.add_column("bar", no_wrap=True)
    table.add_column("met")
    for row in rows(result.figures):
        table.add_row(*row[:-1], Text(row[-1], style={"yes": "green", "no": "bold red"}.get(row[-1], "")))
    console.print(f"{machine()}; {result.plan.runs} runs of {result.plan.seconds:g} s each, load generator on the same cores; took {result.seconds:.0f} s")
    console.print(table)
    for note in filter(None, (*result.notes, result.crowd)):
        console.print(Text(f"note: {note}", style="yellow"))
