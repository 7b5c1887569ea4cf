"""The cutting of a million units into jobs, in one process, without a database: units a second, and how much memory it needs beside them.

python -m bench.splitting [--units 1000000]
"""

import argparse
import sys
import time
import tracemalloc
from collections.abc import Iterator

from pandawms.engine.requirements import Effective
from pandawms.engine.splitting.cut import Job, Piece, cut
from pandawms.engine.splitting.limits import MB, Room, Rules, rules
from pandawms.engine.splitting.secondaries import Company, Secondary, fraction
from pandawms.wire.document import BoundarySpec, SplitSpec

UNITS = 1_000_000
ROOM = Room(disk_mb=20_000, wall_seconds=86_400)
LEARNED = Effective(base_seconds=60, wall_seconds_per_event=0.5, output_mb_per_input_mb=0.2, work_mb=100)


def splits(n: int) -> dict[str, Rules]:
    """The mixtures of options that are measured."""
    every = SplitSpec(events_per_job=20_000, mb_per_job=4000, output_mb_per_job=1000, wall_seconds_per_job=36_000, max_files_per_job=200)
    return {
        "10 files a job": rules(SplitSpec(files_per_job=10), Effective(), ROOM),
        "every limit at once": rules(every, LEARNED, ROOM),
        "100,000 equal parts": rules(SplitSpec(n_jobs=n // 10), Effective(), ROOM, n),
        "groups of 50 files": rules(SplitSpec(boundary=BoundarySpec(name_field=1, one_job_per_group=True)), LEARNED, ROOM),
        "10 files a job, 1 goes along with 2": rules(SplitSpec(files_per_job=10), LEARNED, ROOM),
    }


def units(n: int) -> Iterator[Piece]:
    """Files of 40 to 60 MB and 500 to 1500 events, in groups of 50."""
    for number in range(1, n + 1):
        yield Piece(number, (40 + number % 21) * MB, 500 + number * 7 % 1001, None, number, group=str(number // 50))


def company(name: str, n: int) -> Company | None:
    """The secondary input of the mixture that has one."""
    if "goes along" not in name:
        return None
    files = n // 2
    return Company([Secondary(1, files, True, ratio=fraction(0.5), sizes=dict.fromkeys(range(1, files + 1), MB))])


def measure(name: str, by: Rules, n: int) -> tuple[float, int]:
    """Seconds, and how many jobs."""
    n_jobs = n_units = 0
    along = company(name, n)
    begin = time.perf_counter()
    for made in cut(units(n), by, company=along):
        assert isinstance(made, Job)
        n_jobs, n_units = n_jobs + 1, n_units + len(made.pieces)
    seconds = time.perf_counter() - begin
    assert n_units == n, "every unit is in one job"
    return seconds, n_jobs


def floor(n: int) -> float:
    """Seconds that it takes to make the units and to do nothing with them."""
    begin = time.perf_counter()
    for _ in units(n):
        pass
    return time.perf_counter() - begin


def peak_mb(name: str, by: Rules, n: int) -> float:
    """The most memory that the cut needed at one time."""
    tracemalloc.start()
    measure(name, by, n)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / MB


def split_units_per_second() -> tuple[float, float | None]:
    """Units a second with every limit at once, and how many a second the machine makes without cutting them."""
    seconds, _ = measure("every limit at once", splits(UNITS)["every limit at once"], UNITS)
    return UNITS / seconds, UNITS / floor(UNITS)


def main() -> int:
    """Measures all mixtures and prints a table."""
    parser = argparse.ArgumentParser(prog="bench.splitting", description=__doc__)
    parser.add_argument("--units", type=int, default=UNITS)
    n = parser.parse_args().units
    print(f"{n:,} units; made and thrown away: {n / floor(n):,.0f} units/s")
    print(f"{'split':<40}{'jobs':>10}{'units/s':>12}{'peak MB of 1/10':>18}{'of 1/50':>10}")
    for name, by in splits(n).items():
        seconds, n_jobs = measure(name, by, n)
        part, small = ("", "") if "goes along" in name else (f"{peak_mb(name, by, n // 10):.2f}", f"{peak_mb(name, by, n // 50):.2f}")
        print(f"{name:<40}{n_jobs:>10,}{n / seconds:>12,.0f}{part:>18}{small:>10}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
