"""Measure how many jobs this machine can handle: the whole system in a data folder of its own, beside what its database alone can do.

Prints each figure with its bar. Takes about a quarter of an hour, with --quick less than five minutes. Everything that it starts is ended with it; the
data folder (--data, else ~/.cache/panda-bench) is kept, since large archives take long to fill.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pandawms.cli.exit_codes import ExitCode
from pandawms.domain.errors import Invalid

if TYPE_CHECKING:
    from pandawms.cli.session import Session
    from pandawms.main.bench.session import Request, Result


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of bench; its --json takes a file."""
    group = parser.add_argument_group("what to measure, and where to put it", conflict_handler="resolve")
    group.add_argument("--quick", action="store_true", help="only figures with a bar; 100,000 jobs ready, 1,000,000 archived")
    group.add_argument("--long", action="store_true", help="also an archive of 100,000,000 jobs: 60 GB, and an hour the first time")
    group.add_argument("--json", metavar="FILE", dest="file", type=Path, help="write all figures and runs there")
    group.add_argument("--pictures", metavar="FOLDER", type=Path, help="draw throughput and latency there; needs matplotlib")
    group.add_argument("--only", metavar="NAME", help="measure one scenario, or the one that gives this figure")
    group.add_argument("--runs", metavar="N", help="how often to measure each (else 3)")
    group.add_argument("--seconds", metavar="S", help="how long a run takes (else 5; with --long 10)")
    group.add_argument("--fresh", action="store_true", help="first delete what earlier benchmarks left in the data folder")
    group.add_argument("--list", action="store_true", help="list scenarios and figures, and measure nothing")


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Measures, prints the table, writes the files that were asked for; a bar that is missed is no error."""
    from pandawms.main.bench import progress, scenarios
    from pandawms.main.bench import session as benchmark
    from pandawms.main.stopping import Stop, stoppable

    if arguments.list:
        _list(session)
        return ExitCode.OK
    request = _request(arguments)
    weight = sum(each.weight for each in scenarios.chosen(request.only, is_quick=request.is_quick).values())
    try:
        with stoppable(), progress.shown(session.terminal.stderr, weight) as shown:
            result = benchmark.execute(request, shown)
    except Stop:
        session.terminal.note("interrupted; everything that the benchmark had started is ended")
        return ExitCode.INTERRUPTED
    _show(result, arguments, session)
    return ExitCode.OK


def _request(arguments: argparse.Namespace) -> Request:
    """What the arguments ask for. Raises Invalid now rather than after a quarter of an hour."""
    from pandawms.main.bench.figures import known
    from pandawms.main.bench.scenarios import SCENARIOS
    from pandawms.main.bench.session import Request

    if arguments.quick and arguments.long:
        raise Invalid(
            "a benchmark is quick or long", code="bench.length", field="--quick", value=True, allowed="one of --quick and --long", hint="leave one out"
        )
    if arguments.file is not None:
        _check_file(arguments.file)
    if arguments.pictures is not None and arguments.pictures.exists() and not arguments.pictures.is_dir():
        raise _wrong("--pictures", str(arguments.pictures), "a folder, or a path where one can be made")
    return Request(
        data=arguments.data, is_quick=arguments.quick, is_long=arguments.long, is_fresh=arguments.fresh,
        only=known(arguments.only, list(SCENARIOS)) if arguments.only is not None else None, runs=_whole("--runs", arguments.runs, 1, 100),
        seconds=_number("--seconds", arguments.seconds, 0.5, 600),
    )  # fmt: skip


def _check_file(path: Path) -> None:
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise _wrong("--json", str(path), "a file in a folder that exists")


def _whole(field: str, text: str | None, least: int, most: int) -> int | None:
    found = _number(field, text, least, most)
    if found is not None and found != int(found):
        raise _wrong(field, text, f"a whole number from {least} to {most}")
    return None if found is None else int(found)


def _number(field: str, text: str | None, least: float, most: float) -> float | None:
    if text is None:
        return None
    try:
        found = float(text)
    except ValueError:
        found = float("nan")
    if not least <= found <= most:
        raise _wrong(field, text, f"a number from {least:g} to {most:g}")
    return found


def _wrong(field: str, value: object, allowed: str) -> Invalid:
    return Invalid(f"{field} must be {allowed}", code="bench.argument", field=field, value=value, allowed=allowed, hint=f"give {allowed}")


def _list(session: Session) -> None:
    from pandawms.main.bench.figures import KINDS, bar_text
    from pandawms.main.bench.scenarios import SCENARIOS
    from pandawms.main.commands.arguments import columns

    rows = [(name, figure, KINDS[figure].unit, bar_text(KINDS[figure]), KINDS[figure].title) for name, each in SCENARIOS.items() for figure in each.figures]
    session.terminal.table(rows, columns("scenario", "figure", "unit", "bar", "what it is"))


def _show(result: Result, arguments: argparse.Namespace, session: Session) -> None:
    """The table on standard output, files where they were asked for, and where they are."""
    import json

    from pandawms.main.bench import pictures
    from pandawms.main.bench.session import write_pictures
    from pandawms.main.bench.table import print_table

    terminal = session.terminal
    if arguments.file is not None:
        arguments.file.write_text(json.dumps(result.document(), indent=2) + "\n")
    drawn = write_pictures(result, arguments.pictures) if arguments.pictures is not None else []
    if terminal.as_json:
        terminal.json(result.document())
        return
    print_table(result, terminal.console(), is_tty=terminal.is_tty)
    if arguments.file is not None:
        terminal.line(f"JSON: {arguments.file}")
    for path in drawn:
        terminal.line(f"picture: {path}")
    if arguments.pictures is None or not pictures.can_draw():
        terminal.note("pictures: give --pictures FOLDER" if pictures.can_draw() else pictures.HOW)
