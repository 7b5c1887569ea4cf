"""The guard: a process between the pilot and its payload that leaves nothing of the payload behind.

It adopts every orphan below it (Linux's child subreaper), so that a descendant that made its own session is still found.
It kills all of them when the payload has ended, when it is told to stop, and when the pilot's end of its pipe closes,
which the kernel does even for a pilot that was killed. It speaks JSON lines: takes `run` and `stop` on its input, gives
`started`, `failed` and `ended` on its output. It imports little, because every pilot starts one.
"""

# Every pilot starts a guard: it does without pathlib.
from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import time
from typing import Any, NoReturn

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_CHUNK_BYTES = 1 << 16
_MEMORY_BYTES = 1 << 16
_SENT_TO_US = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
_PYTHON_IGNORES = (signal.SIGPIPE, signal.SIGXFSZ)


def become_subreaper() -> None:
    """Orphans below this process become its children from now on (prctl(2))."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    zero = ctypes.c_ulong(0)
    ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), zero, zero, zero)


def children_of(parent: int) -> list[int]:
    """The processes whose parent is `parent`, by /proc."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as stat:
                after_name = stat.read().rpartition(b")")[2].split()
        except OSError:
            continue
        if int(after_name[1]) == parent:
            found.append(int(name))
    return found


def kill_children() -> list[Any]:
    """Kills and reaps every child of this process until none is left; returns their resource usages.

    Only direct children are signalled: their ids cannot be reused before they are reaped. What they leave behind becomes
    a direct child of a subreaper and falls in the next round.
    """
    usages = []
    while True:
        for pid in children_of(os.getpid()):
            os.kill(pid, signal.SIGKILL)
        try:
            usages.append(os.wait4(-1, 0)[2])
        except ChildProcessError:
            return usages


class KeptOutput:
    """One output stream in a file: all of it up to `keep_bytes`, of more the first and the last half, the rest counted.

    The last half goes round in a second file until `close`. A full disk never stops the payload: of what comes after it
    the last 64 KiB are kept in memory.
    """

    def __init__(self, path: str, keep_bytes: int) -> None:
        self.total_bytes = 0
        self._path = path
        self._half = max(keep_bytes // 2, 1)
        self._head = open(path, "wb", buffering=0)  # noqa: SIM115 (open as long as the payload runs)
        self._head_bytes = 0
        self._ring: Any | None = None
        self._at = 0
        self._is_full = False
        self._end = b""

    def feed(self, data: bytes) -> None:
        """Takes the next bytes of the stream."""
        self.total_bytes += len(data)
        self._end = (self._end + data)[-_MEMORY_BYTES:]
        if self._is_full:
            return
        try:
            room = self._half - self._head_bytes
            self._feed_head(data[:room])
            self._feed_ring(data[room:])
        except OSError:
            self._is_full = True

    def _feed_head(self, data: bytes) -> None:
        while data:
            written = self._head.write(data)
            self._head_bytes += written
            data = data[written:]

    def _feed_ring(self, data: bytes) -> None:
        while data:
            if self._ring is None:
                self._ring = open(self._path + ".tail", "w+b", buffering=0)  # noqa: SIM115 (the same)
            part = data[: self._half - self._at]
            self._ring.seek(self._at)
            _write_all(self._ring, part)
            self._at = (self._at + len(part)) % self._half
            data = data[len(part) :]

    def close(self) -> dict[str, Any]:
        """Joins the two halves in the file, with a line between them that says how much is missing.

        Tells how many bytes the beginning has, how many are missing, and the end that found no room on the disk.
        """
        is_joined = not self._is_full and self._join()
        unwritten = b"" if is_joined else self._rescue()
        left_out_bytes = max(self.total_bytes - 2 * self._half, 0)
        if not is_joined:
            left_out_bytes = self.total_bytes - self._head_bytes - len(unwritten)
        if self._ring is not None:
            self._ring.close()
            os.unlink(self._path + ".tail")
        self._head.close()
        return {"head_bytes": self._head_bytes, "left_out_bytes": left_out_bytes, "unwritten": unwritten.decode("latin-1")}

    def _join(self) -> bool:
        try:
            if self._ring is not None:
                self._append_ring(self._ring)
        except OSError:
            return False
        return True

    def _rescue(self) -> bytes:
        """The end from memory; only the beginning stays in the file."""
        try:
            self._head.truncate(self._head_bytes)
        except OSError:
            self._is_full = True
        missing = min(self.total_bytes - self._head_bytes, len(self._end))
        return self._end[len(self._end) - missing :]

    def _append_ring(self, ring: Any) -> None:
        missing = self.total_bytes - 2 * self._half
        if missing > 0:
            _write_all(self._head, f"\n[... {missing} bytes left out ...]\n".encode())
            self._copy(ring, self._at, self._half)
            self._copy(ring, 0, self._at)
        else:
            self._copy(ring, 0, self.total_bytes - self._half)

    def _copy(self, ring: Any, start: int, end: int) -> None:
        ring.seek(start)
        while start < end:
            data = ring.read(min(_CHUNK_BYTES, end - start))
            if not data:
                return
            _write_all(self._head, data)
            start += len(data)


def _write_all(file: Any, data: bytes) -> None:
    while data:
        data = data[file.write(data) :]


class Payload:
    """One process with its descendants, from `run` to `ended`."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.ended = False
        self.kill_at: float | None = None
        self._status = 0
        self._usages: list[Any] = []
        self._started = time.monotonic()
        self.outputs: dict[int, KeptOutput] = {}
        self.open_outputs: set[int] = set()
        writers = []
        for path in (order["stdout"], order["stderr"]):
            reader, writer = os.pipe()
            os.set_blocking(reader, False)
            self.outputs[reader] = KeptOutput(path, order["keep_bytes"])
            self.open_outputs.add(reader)
            writers.append(writer)
        self.pid = _start(order, writers)
        for writer in writers:
            os.close(writer)

    def drain(self, descriptor: int) -> bool:
        """Reads a chunk; False when nothing is there now or any more."""
        try:
            data = os.read(descriptor, _CHUNK_BYTES)
        except BlockingIOError:
            return False
        self.outputs[descriptor].feed(data)
        if not data:
            self.open_outputs.discard(descriptor)
        return bool(data)

    def reap(self) -> None:
        """Takes in children that ended; sets `ended` when the payload itself is among them."""
        while not self.ended:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._usages.append(usage)
            if pid == self.pid:
                self.ended, self._status = True, status

    def signal_group(self, number: int) -> None:
        """Signals the payload's group while its leader is not reaped, so that the id is still its own."""
        if not self.ended:
            os.killpg(self.pid, number)

    def finish(self) -> dict[str, Any]:
        """Kills what is left, empties the pipes and says how it ended."""
        wall_seconds = time.monotonic() - self._started
        self._usages += kill_children()
        for descriptor in self.outputs:
            while self.drain(descriptor):
                pass
            os.close(descriptor)
        return {
            "exit_code": os.WEXITSTATUS(self._status) if os.WIFEXITED(self._status) else None,
            "signal": os.WTERMSIG(self._status) if os.WIFSIGNALED(self._status) else None,
            "wall_seconds": wall_seconds,
            "cpu_seconds": sum(usage.ru_utime + usage.ru_stime for usage in self._usages),
            "max_rss_mb": max((usage.ru_maxrss for usage in self._usages), default=0) / 1024,
            "outputs": [output.close() for output in self.outputs.values()],
        }


def _start(order: dict[str, Any], writers: list[int]) -> int:
    """Forks and executes; an OSError of the child (no such folder, no such program) is raised here."""
    failure_reader, failure_writer = os.pipe()
    guard = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become_payload(order, writers, failure_writer, guard)
    os.close(failure_writer)
    with os.fdopen(failure_reader, "rb") as failure:
        text = failure.read().decode()
    if text:
        os.waitpid(pid, 0)
        raise OSError(text)
    return pid


def _become_payload(order: dict[str, Any], writers: list[int], failure: int, guard: int) -> NoReturn:
    try:
        os.setsid()
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guard:
            os._exit(137)
        for number in (*_SENT_TO_US, *_PYTHON_IGNORES, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(writers[0], 1)
        os.dup2(writers[1], 2)
        os.chdir(order["cwd"])
        os.execve(order["argv"][0], order["argv"], order["env"])
    except OSError as error:
        os.write(failure, str(error).encode())
    os._exit(127)


class Guard:
    """The loop: one payload at a time, until the pilot's end of the pipe closes."""

    def __init__(self) -> None:
        self._orders = b""
        self._payload: Payload | None = None
        self._wake, wake_writer = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(wake_writer, False)
        signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        for number in _SENT_TO_US:
            signal.signal(number, signal.SIG_IGN)

    def serve(self) -> None:
        """Returns when the pilot is gone; whatever ran is then dead."""
        while self._step():
            pass
        if self._payload is not None:
            self._payload.signal_group(signal.SIGKILL)
        kill_children()

    def _step(self) -> bool:
        payload = self._payload
        readable = [0, self._wake, *(payload.open_outputs if payload else ())]
        ready, _, _ = select.select(readable, [], [], self._patience())
        if 0 in ready and not self._take_orders():
            return False
        if self._wake in ready:
            os.read(self._wake, _CHUNK_BYTES)
        if payload is not None:
            self._attend(payload, ready)
        return True

    def _patience(self) -> float | None:
        if self._payload is None or self._payload.kill_at is None:
            return None
        return max(self._payload.kill_at - time.monotonic(), 0)

    def _attend(self, payload: Payload, ready: list[int]) -> None:
        for descriptor in payload.open_outputs.intersection(ready):
            payload.drain(descriptor)
        payload.reap()
        if not payload.ended and payload.kill_at is not None and time.monotonic() >= payload.kill_at:
            payload.signal_group(signal.SIGKILL)
            payload.kill_at = None
        if payload.ended:
            self._payload = None
            _say({"ended": payload.finish()})

    def _take_orders(self) -> bool:
        data = os.read(0, _CHUNK_BYTES)
        if not data:
            return False
        *lines, self._orders = (self._orders + data).split(b"\n")
        for line in lines:
            self._obey(json.loads(line))
        return True

    def _obey(self, order: dict[str, Any]) -> None:
        if "run" in order:
            self._run(order["run"])
        elif self._payload is not None and self._payload.kill_at is None:
            self._payload.signal_group(signal.SIGTERM)
            self._payload.kill_at = time.monotonic() + order["stop"]

    def _run(self, order: dict[str, Any]) -> None:
        try:
            self._payload = Payload(order)
        except OSError as error:
            _say({"failed": str(error)})
        else:
            _say({"started": self._payload.pid})


def _say(event: dict[str, Any]) -> None:
    line = json.dumps(event).encode() + b"\n"
    try:
        while line:
            line = line[os.write(1, line) :]
    except BrokenPipeError:
        return


def main() -> None:
    """The guard's process."""
    become_subreaper()
    Guard().serve()
