"""Which processes belong to a data folder, whether they live, and how they are ended.

A process is ours when its working directory is the data folder (PostgreSQL's processes all stay in it) and its program is the
server's; nothing else is ever signalled. Where there is no /proc, only the process that postmaster.pid names is known.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pandawms.domain.errors import Unavailable
from pandawms.store.embedded.account import Account

POLL_SECONDS = 0.02
KILLED_WITHIN_SECONDS = 10.0
READY = "ready"

# Run as the server's account: root in a container may not look at the working directories of another user's processes.
LIST_BY_FOLDER = """
for process in /proc/[0-9]*; do
  if [ "$process/cwd" -ef "$1" ]; then echo "${process#/proc/} $(readlink "$process/exe")"; fi
done
"""


@dataclass(frozen=True, slots=True)
class Process:
    """One process for good: a number may be given again, but not with the same start."""

    pid: int
    started: str


@dataclass(frozen=True, slots=True)
class PidFile:
    """What the server writes into postmaster.pid: `status` is starting, ready, standby or stopping; port 0 before it listens."""

    pid: int
    port: int
    status: str


def read_pid_file(data: Path) -> PidFile | None:
    """The postmaster.pid of `data`; None when there is none or when it is being written."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        lines += [""] * (8 - len(lines))
        return PidFile(int(lines[0]), int(lines[3] or 0), lines[7].strip())
    except (FileNotFoundError, ValueError, IndexError):
        return None


def identified(pid: int) -> Process | None:
    """The process that has the number `pid` now; None when there is none, or only what is left of one (a zombie)."""
    started = _started_linux(pid) if sys.platform == "linux" else _started_elsewhere(pid)
    return Process(pid, started) if started else None


def is_alive(process: Process) -> bool:
    """Whether exactly this process still runs."""
    return identified(process.pid) == process


def working_in(data: Path, account: Account) -> dict[Process, Path]:
    """The processes whose working directory is `data`, each with its program."""
    if not data.is_dir():
        return {}
    lines = _list_linux(data, account) if sys.platform == "linux" else _list_elsewhere(data)
    found = {identified(int(pid)): Path(program.removesuffix(" (deleted)")) for pid, _, program in lines}
    return {process: program for process, program in found.items() if process is not None}


def ours_in(data: Path, postgres: Path, account: Account) -> list[Process]:
    """The server's own processes in `data`.

    The last three parts of the program's path decide (`pginstall/bin/postgres`), so that a server which was started before the
    programs were updated or moved is still known.
    """
    return [process for process, program in working_in(data, account).items() if program.parts[-3:] == postgres.parts[-3:]]


def postmaster(data: Path, postgres: Path, account: Account) -> Process | None:
    """The first process of the server in `data`, if it lives: the one that postmaster.pid names and that works in this folder."""
    named = read_pid_file(data)
    if named is None:
        return None
    return next((process for process in ours_in(data, postgres, account) if process.pid == named.pid), None)


def send(process: Process, number: signal.Signals) -> None:
    """Signals the process if it still lives."""
    if is_alive(process):
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            return


def gone_within(processes: Iterable[Process], seconds: float) -> bool:
    """Waits until none of the processes lives; False when one still does after `seconds`."""
    deadline = time.monotonic() + seconds
    left = [process for process in processes if is_alive(process)]
    while left and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        left = [process for process in left if is_alive(process)]
    return not left


def kill(processes: Iterable[Process]) -> None:
    """Kills the processes and waits until they are gone: a server that finds one of them in its shared memory does not start."""
    left = list(processes)
    for process in left:
        send(process, signal.SIGKILL)
    if not gone_within(left, KILLED_WITHIN_SECONDS):
        raise Unavailable(
            f"processes of an earlier PostgreSQL do not end: {', '.join(str(process.pid) for process in left if is_alive(process))}",
            code="postgres_left_over",
            hint="a process that cannot be killed waits for a disk: look at the storage of this machine",
        )


def _list_linux(data: Path, account: Account) -> list[tuple[str, str, str]]:
    said = account.run(["/bin/sh", "-c", LIST_BY_FOLDER, "sh", data])
    return [line.partition(" ") for line in said.splitlines()]


def _list_elsewhere(data: Path) -> list[tuple[str, str, str]]:
    named = read_pid_file(data)
    if named is None:
        return []
    said = subprocess.run(["ps", "-o", "comm=", "-p", str(named.pid)], capture_output=True, text=True, check=False).stdout.strip()
    return [(str(named.pid), " ", said)] if said.endswith("postgres") else []


def _started_linux(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat[stat.rindex(")") + 2 :].split()  # the name before may hold spaces and brackets; proc(5) numbers from here with 3
    return None if fields[0] in "ZX" else fields[19]


def _started_elsewhere(pid: int) -> str | None:
    said = subprocess.run(["ps", "-o", "stat=", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    state, _, started = said.strip().partition(" ")
    return None if state.startswith("Z") else started.strip() or None
