"""Runs the benchmarks and prints a table and JSON: median, minimum and maximum of several runs, and the ratio to the floor of the same run.

python -m bench [--runs 3] [--only NAME] [--json FILE]
"""

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import engine, splitting, start_up, whole


@dataclass(frozen=True)
class Figure:
    """One measured scenario; `floor` is what the machine itself needs for the same, `ratio` the median over it (or under it, for rates)."""

    name: str
    unit: str
    min: float
    median: float
    max: float
    floor: float | None = None
    ratio: float | None = None


Scenario = Callable[[], tuple[float, float | None]]

SCENARIOS: dict[str, tuple[str, Scenario]] = {
    "cli_help": ("ms", start_up.help_ms),
    "cli_ls": ("ms", start_up.ls_ms),
    "submit_10000_inputs": ("s", engine.submit_10000_inputs),
    "split_1000000_units": ("units/s", splitting.split_units_per_second),
    "noop_jobs": ("jobs/s", whole.noop_jobs_per_second),
}
"""Name to unit and a function that measures once: the figure and its floor."""


def measure(name: str, runs: int) -> Figure:
    """Runs one scenario several times."""
    unit, scenario = SCENARIOS[name]
    pairs = [scenario() for _ in range(runs)]
    values = [value for value, _ in pairs]
    floors = [floor for _, floor in pairs if floor is not None]
    median = statistics.median(values)
    floor = statistics.median(floors) if floors else None
    return Figure(name, unit, min(values), median, max(values), floor, median / floor if floor else None)


def main() -> int:
    """Measures, prints, and writes JSON when asked."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=sorted(SCENARIOS), action="append")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = []
    print(f"{'scenario':<22}{'unit':<8}{'min':>10}{'median':>10}{'max':>10}{'floor':>10}{'ratio':>8}")
    for name in options.only or SCENARIOS:
        figure = measure(name, options.runs)
        figures.append(figure)
        floor = f"{figure.floor:>10.2f}{figure.ratio:>8.2f}" if figure.floor is not None and figure.ratio is not None else ""
        print(f"{name:<22}{figure.unit:<8}{figure.min:>10.2f}{figure.median:>10.2f}{figure.max:>10.2f}{floor}", flush=True)
    if options.json:
        options.json.write_text(json.dumps([asdict(figure) for figure in figures], indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
