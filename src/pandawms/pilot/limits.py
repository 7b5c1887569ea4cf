"""What a payload uses now, by /proc and the file system, and which limit it has passed.

The checks and their numbers follow PanDA's pilot: wall time 1213, memory 1235, work folder 1104, free disk 1098.
"""

# Whole trees are read every few seconds: plain names cost a fraction of Path objects.
from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from pandawms.domain.codes import Code
from pandawms.domain.outcome import Outcome, outcome

_MB = 1 << 20
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """Resident memory and CPU time of a process tree, and the ids in it."""

    rss_mb: float = 0.0
    cpu_seconds: float = 0.0
    processes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Limits:
    """Zero means that nothing is limited, except for `min_free_disk_mb`, which is what must stay free, and
    `asked_memory_mb`, which is only told."""

    wall_seconds: float = 0.0
    memory_mb: float = 0.0
    asked_memory_mb: float = 0.0
    disk_mb: float = 0.0
    min_free_disk_mb: float = 0.0


def usage_below(root: int) -> Usage:
    """The sum over all descendants of `root`, without itself (fields 4, 14, 15 and 24 of proc(5)'s stat)."""
    rows = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            row = _stat(name)
            if row is not None:
                rows[int(name)] = row
    below = _descendants(root, {process: row[0] for process, row in rows.items()})
    return Usage(
        rss_mb=sum(rows[process][2] for process in below) * _PAGE_BYTES / _MB,
        cpu_seconds=sum(rows[process][1] for process in below) / _TICKS,
        processes=tuple(below),
    )


def _stat(name: str) -> tuple[int, int, int] | None:
    try:
        with open(f"/proc/{name}/stat", "rb") as stat:
            values = stat.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return int(values[1]), int(values[11]) + int(values[12]), int(values[21])


def _descendants(root: int, parents: dict[int, int]) -> list[int]:
    children: dict[int, list[int]] = {}
    for process, parent in parents.items():
        children.setdefault(parent, []).append(process)
    below: list[int] = []
    waiting = [root]
    while waiting:
        found = children.get(waiting.pop(), [])
        below += found
        waiting += found
    return below


def proportional_memory_mb(usage: Usage) -> float:
    """Memory with shared pages counted once (PSS); where the kernel does not tell, the resident size."""
    if not os.path.exists("/proc/self/smaps_rollup"):
        return usage.rss_mb
    total_kb = 0
    for process in usage.processes:
        try:
            text = Path(f"/proc/{process}/smaps_rollup").read_text()
        except PermissionError:
            return usage.rss_mb
        except OSError:
            continue
        total_kb += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total_kb / 1024


def folder_mb(folder: Path) -> float:
    """Disk that a folder takes, by blocks; files that vanish meanwhile count nothing, links are not followed."""
    blocks = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                blocks += os.lstat(os.path.join(parent, name)).st_blocks
            except OSError:
                continue
    return blocks * 512 / _MB


def free_disk_mb(folder: Path) -> float:
    """What is left on the file system of `folder`, which need not be there yet."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free / _MB


class LimitWatch:
    """Checks one job against its limits; remembers the highest use for heartbeats and the report."""

    def __init__(self, limits: Limits, folder: Path, seen: Callable[[float, float, float], None]) -> None:
        self._limits = limits
        self._folder = folder
        self._seen = seen
        self.max_rss_mb = 0.0

    def check(self, guard: int, wall_seconds: float) -> Outcome | None:
        """The first limit that is passed, as the outcome to stop with."""
        usage = usage_below(guard)
        used_disk_mb = folder_mb(self._folder)
        self.max_rss_mb = max(self.max_rss_mb, usage.rss_mb)
        self._seen(usage.cpu_seconds, self.max_rss_mb, used_disk_mb)
        return self._wall(wall_seconds) or self._memory(usage) or self._disk(used_disk_mb)

    def _wall(self, wall_seconds: float) -> Outcome | None:
        limit = self._limits.wall_seconds
        if not limit or wall_seconds < limit:
            return None
        return outcome(Code.OUT_OF_TIME, f"ran for {wall_seconds:.0f} s, the limit is {limit:.0f} s")

    def _memory(self, usage: Usage) -> Outcome | None:
        limit = self._limits.memory_mb
        if not limit or usage.rss_mb <= limit:
            return None
        memory_mb = proportional_memory_mb(usage)
        if memory_mb <= limit:
            return None
        asked = self._limits.asked_memory_mb or limit
        message = f"uses {memory_mb:.0f} MB; {asked:.0f} MB were asked for, and up to {limit:.0f} MB are allowed"
        return outcome(Code.TOO_MUCH_MEMORY, message)

    def _disk(self, used_mb: float) -> Outcome | None:
        limit, free_mb = self._limits.disk_mb, free_disk_mb(self._folder)
        if limit and used_mb > limit:
            message = f"the work folder holds {used_mb:.0f} MB, the limit is {limit:.0f} MB"
            return outcome(Code.WORK_FOLDER_TOO_LARGE, message)
        if free_mb < self._limits.min_free_disk_mb:
            message = f"{free_mb:.0f} MB free in {self._folder}, {self._limits.min_free_disk_mb:.0f} MB must stay free"
            return outcome(Code.NO_LOCAL_SPACE, message)
        return None
