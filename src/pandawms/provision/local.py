"""Pilots as processes of this machine."""

import json
import os
import platform
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from pandawms.domain.errors import Unavailable
from pandawms.plugins.provisioner import Launch, Sighting, WorkerState

INHERITED = (
    "PATH", "HOME", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "PIP_INDEX_URL", "PIP_CERT", "UV_INDEX_URL", "HTTPS_PROXY", "NO_PROXY",
    "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ZE_AFFINITY_MASK", "GPU_DEVICE_ORDINAL",
)  # fmt: skip
"""The variables of this process that a pilot has, too; the last ones say which devices are ours (`pilot/variables.py` knows them as well)."""


@dataclass(slots=True)
class Local:
    """The Provisioner for one machine. A native id is `pid:start tick`, so that a pilot is known again after a restart and never mistaken.

    `wrapper` are words put before the pilot's command line; what they name must end by running it (exec).
    """

    log_folder: Path
    wrapper: tuple[str, ...] = ()
    name: str = field(default_factory=lambda: f"local.{node_name()}")
    _children: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    _logs: dict[int, Path] = field(default_factory=dict)

    def launch(self, launch: Launch) -> str:
        """Starts the pilot in a session of its own, so that it outlives its provisioner; its output goes to a file of its worker."""
        self.log_folder.mkdir(parents=True, exist_ok=True)
        log = self.log_folder / f"{launch.worker_id}.log"
        with log.open("ab") as output:
            process = _start((*self.wrapper, *launch.command), output)
        self._children[process.pid], self._logs[process.pid] = process, log
        return f"{process.pid}:{_start_tick(process.pid)}"

    def see(self, native_ids: Sequence[str]) -> Mapping[str, Sighting]:
        """Looks at the process table; a pilot that is our child and ended badly gives its exit as the diagnosis."""
        return {native_id: self._see(native_id) for native_id in native_ids}

    def stop(self, native_id: str) -> None:
        """Sends the pilot SIGTERM: it stops its payload, reports and ends."""
        _send(native_id, signal.SIGTERM)

    def kill(self, native_id: str) -> None:
        """Ends the pilot at once; its payload ends with it."""
        _send(native_id, signal.SIGKILL)

    def _see(self, native_id: str) -> Sighting:
        pid, tick = _parts(native_id)
        child = self._children.get(pid)
        if child is not None and child.poll() is not None:
            del self._children[pid]
            return Sighting(WorkerState.ENDED, _why(self._logs.pop(pid), child.returncode))
        return Sighting(WorkerState.RUNNING if _runs(pid, tick) else WorkerState.ENDED)


def _why(log: Path, code: int) -> str:
    """Why a pilot ended badly: the reason in the last line of its log, if it gave one; nothing when it ended well."""
    if code == 0:
        return ""
    with suppress(OSError, ValueError, KeyError, IndexError, TypeError):
        last = log.read_text(errors="replace").strip().splitlines()[-1]
        return f"the pilot left: {json.loads(last)['reason']}"
    return f"the pilot ended with {_exit(code)}"


def _start(command: Sequence[str], output: BinaryIO) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", env=_environment(), start_new_session=True)
    except OSError as error:
        raise Unavailable(f"no pilot can be started: {error}", code="provision.launch", value=command[0], hint="look into the provisioner's log") from error


def _send(native_id: str, number: signal.Signals) -> None:
    pid, tick = _parts(native_id)
    if _runs(pid, tick):
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _runs(pid: int, tick: int) -> bool:
    """Whether the process that started at this tick runs; a negative one was noted for a process that had ended already."""
    return tick >= 0 and _start_tick(pid) == tick


def node_name() -> str:
    """This machine's name as part of a provisioner's, so that two machines never touch each other's pilots."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", platform.node())[:60] or "here"


def _exit(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _parts(native_id: str) -> tuple[int, int]:
    pid, _, tick = native_id.partition(":")
    return int(pid), int(tick or -1)


def _start_tick(pid: int) -> int:
    """When the process started, in clock ticks after boot; -2 when it does not run."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return -2
    return -2 if fields[0] in "ZX" else int(fields[19])


def _environment() -> dict[str, str]:
    """The little that a pilot inherits: a payload's environment must not depend on who started the system, but on the devices that are the system's."""
    return {name: os.environ[name] for name in INHERITED if name in os.environ}
