"""What the processes of this machine have used, from /proc."""

import os
from dataclasses import dataclass
from pathlib import Path

TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Stat:
    """Of one process: its parent, its own CPU time, and that of its children that ended."""

    pid: int
    parent: int
    own_ms: float
    ended_ms: float


def stat(pid: int) -> Stat | None:
    """Returns what /proc says of a process; None when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    own, ended = (sum(int(fields[n]) for n in pair) * TICK_MS for pair in ((11, 12), (13, 14)))
    return Stat(pid, int(fields[1]), own, ended)


def cpu_ms(pid: int) -> float:
    """Returns the CPU time, user and system, of one process; 0 when it is gone."""
    found = stat(pid)
    return found.own_ms if found else 0.0


def tree_cpu_ms(pid: int) -> float:
    """Returns the CPU time of a process and its children, those that ended too."""
    stats = [found for entry in os.listdir("/proc") if entry.isdecimal() and (found := stat(int(entry))) is not None]
    return sum(each.own_ms + (each.ended_ms if each.pid == pid else 0) for each in stats if pid in (each.pid, each.parent))


def cores_ms() -> tuple[float, float]:
    """Returns the time that all cores have worked, and that they have had, in milliseconds since the machine started."""
    fields = [int(field) * TICK_MS for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return sum(fields) - fields[3] - fields[4], sum(fields)


def rss_mb(pid: int) -> float:
    """Returns the resident memory of a process, in MiB, pages that it shares with others counted whole."""
    return _field(Path(f"/proc/{pid}/status"), "VmRSS:") / 1024


def pss_mb(pid: int) -> float:
    """Returns the memory of a process, in MiB, each shared page divided by those who share it."""
    return _field(Path(f"/proc/{pid}/smaps_rollup"), "Pss:") / 1024


def _field(path: Path, name: str) -> int:
    try:
        return next((int(line.split()[1]) for line in path.read_text().splitlines() if line.startswith(name)), 0)
    except (FileNotFoundError, ProcessLookupError):
        return 0


def machine() -> str:
    """Returns what the machine is, for the title of a table: processor, cores and memory."""
    names = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} x {names[0] if names else os.uname().machine}, {total:.0f} GiB"
