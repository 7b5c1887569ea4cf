"""The life of the embedded server: start or adopt, watch, stop."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import AbstractContextManager
from pathlib import Path

from pandawms.domain.errors import Conflict, Unavailable
from pandawms.store.embedded import cluster
from pandawms.store.embedded.binaries import Binaries, binaries, copied
from pandawms.store.embedded.files import locked
from pandawms.store.embedded.home import POINTER, Home, existing, prepared, system_locked
from pandawms.store.embedded.options import DATABASE, HOST, USER, Endpoint, Options
from pandawms.store.embedded.probe import answers, free_port, is_free
from pandawms.store.embedded.processes import (
    POLL_SECONDS,
    READY,
    Process,
    gone_within,
    identified,
    is_alive,
    kill,
    ours_in,
    postmaster,
    read_pid_file,
    send,
    working_in,
)

QUIT_SECONDS = 3.0  # PostgreSQL itself gives its children 5 s after SIGQUIT; with fewer, we kill
LOCK_NAME = "lock"
PORT_TRIES = 3


class EmbeddedServer:
    """A handle on the PostgreSQL of one folder; several handles, in several processes, may share one server."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._child: subprocess.Popen[str] | None = None
        self._process: Process | None = None

    def start(self) -> Endpoint:
        """Leaves a server that accepts connections, and says where.

        Adopts the server of this folder if it runs and answers. Else ends what a crash left, makes the cluster on first use,
        and starts a server as a child of this process, in a session of its own. Two callers at once get the same server.
        Raises Invalid when the folder cannot be used (wrong version, wrong user) and Unavailable when the server does not start.
        """
        with self._locked():
            with system_locked(self._options):
                programs = self._programs()
                home = prepared(self._options)
            cluster.check(home, programs)
            port = self._adopt(home, programs) or self._begin(home, programs)
            cluster.write_record(home, programs)
            return Endpoint(HOST, port, USER, cluster.read_password(home), DATABASE, home.sockets)

    def is_running(self) -> bool:
        """Whether the server that `start` gave still lives: one system call or two, and no connection."""
        if self._child is not None and self._child.poll() is not None:
            return False
        return self._process is not None and is_alive(self._process)

    def stop(self, timeout_seconds: float = 10.0) -> None:
        """Ends the server of this folder, whoever started it, and returns when none of its processes is left.

        Running transactions are rolled back; after `timeout_seconds` the server is made to end at once, and recovers at the
        next start. Stopping what does not run, or was never there, is no error.
        """
        if self._options.folder.is_dir():
            with self._locked():
                home = existing(self._options)
                if home is not None:
                    self._end(home, self._programs(), timeout_seconds)

    def remove(self) -> None:
        """Stops the server and deletes the cluster with all that is in it; the requested folder itself stays."""
        self.stop()
        if self._options.folder.is_dir():
            with self._locked():
                home = existing(self._options)
                if home is not None:
                    cluster.remove(home)
                    (self._options.folder / POINTER).unlink(missing_ok=True)

    def _locked(self) -> AbstractContextManager[None]:
        return locked(self._options.folder / LOCK_NAME, self._options.start_timeout_seconds)

    def _programs(self) -> Binaries:
        """The programs where the server's account can run them; given ones are taken to be there already."""
        found = binaries(self._options.binaries_prefix)
        if os.geteuid() != 0 or self._options.binaries_prefix is not None:
            return found
        return copied(found, self._options.system_folder / "binaries")

    def _adopt(self, home: Home, programs: Binaries) -> int | None:
        """The port of a server of this folder that runs and answers, or comes to it; None when there is none, or it hangs."""
        process = postmaster(home.data, programs.bin / "postgres", home.account)
        if process is None:
            return None
        began = time.monotonic()
        while is_alive(process):
            self._reap()
            if (port := _ready_port(home, process)) is not None:
                self._process = process
                return port
            waited, said = time.monotonic() - began, read_pid_file(home.data)
            if said is not None and said.status == READY and waited > self._options.answer_timeout_seconds:
                return None
            if waited > self._options.start_timeout_seconds:
                raise _not_ready(home, waited)
            time.sleep(POLL_SECONDS)
        return None

    def _begin(self, home: Home, programs: Binaries) -> int:
        self._clear(home, programs)
        if not home.data.exists():
            cluster.initialise(home, programs, self._options)
        for _ in range(PORT_TRIES):
            port = self._options.port or free_port()
            if self._options.port and not is_free(port):
                raise _port_taken(port)
            if self._launch(home, programs, port):
                return port
        raise _not_started(home)

    def _clear(self, home: Home, programs: Binaries) -> None:
        """Ends what a crash left of this data folder, and removes the files that would keep a new server from starting."""
        self._reap()
        kill(ours_in(home.data, programs.bin / "postgres", home.account))
        self._reap()
        _refuse_foreign(home)
        (home.data / "postmaster.pid").unlink(missing_ok=True)
        for left in home.sockets.glob(".s.PGSQL.*"):
            left.unlink()

    def _launch(self, home: Home, programs: Binaries, port: int) -> bool:
        """Starts the server and waits until it answers; False when another process was quicker to take the port."""
        cluster.configure(home, self._options, port)
        command: list[str | Path] = [programs.bin / "postgres", "-D", home.data, "-c", f"config_file={home.settings}"]
        with open(home.startup_log, "w") as log:
            self._child = home.account.popen(command, stdin=subprocess.DEVNULL, output=log)
        self._process = identified(self._child.pid)
        began = time.monotonic()
        while self._child.poll() is None and self._process is not None:
            if _ready_port(home, self._process) == port:
                return True
            if time.monotonic() - began > self._options.start_timeout_seconds:
                raise _not_ready(home, time.monotonic() - began)
            time.sleep(POLL_SECONDS)
        self._child.wait()
        if is_free(port):
            raise _not_started(home)
        return False

    def _end(self, home: Home, programs: Binaries, timeout_seconds: float) -> None:
        process = postmaster(home.data, programs.bin / "postgres", home.account)
        for number, seconds in ((signal.SIGINT, timeout_seconds), (signal.SIGQUIT, QUIT_SECONDS)):
            if process is not None:
                send(process, number)
                gone_within([process], seconds)
        left = ours_in(home.data, programs.bin / "postgres", home.account)
        if process is None or not is_alive(process):
            gone_within(left, QUIT_SECONDS)  # the log's writer ends by itself when the last process has closed its end
        kill(left)
        self._reap()
        self._process = None

    def _reap(self) -> None:
        """Takes note of a child's end, so that no zombie keeps its number."""
        if self._child is not None and self._child.poll() is not None:
            self._child = None


def _refuse_foreign(home: Home) -> None:
    named = read_pid_file(home.data)
    for process, program in working_in(home.data, home.account).items():
        if named is not None and process.pid == named.pid:
            raise Conflict(
                f"the database in {home.data} is in use by {program} (process {process.pid}), which is not ours to end",
                code="postgres_foreign",
                field="folder",
                value=str(home.requested),
                hint="stop that server, or point the setting `database` at it",
            )


def _ready_port(home: Home, process: Process) -> int | None:
    """The port of the server if it says that it is ready and does answer there."""
    said = read_pid_file(home.data)
    if said is None or said.pid != process.pid or said.status != READY or not answers(said.port):
        return None
    return said.port


def _port_taken(port: int) -> Unavailable:
    return Unavailable(
        f"port {port} of {HOST} is taken by another program",
        code="postgres_port",
        field="port",
        value=port,
        hint="choose another, or 0 for any that is free",
    )


def _not_started(home: Home) -> Unavailable:
    return Unavailable(f"PostgreSQL did not start: {cluster.last_words(home)}", code="postgres_start", hint=f"the whole log is in {home.logs}")


def _not_ready(home: Home, waited_seconds: float) -> Unavailable:
    return Unavailable(
        f"PostgreSQL is not ready after {waited_seconds:.0f} s: {cluster.last_words(home)}",
        code="postgres_start",
        hint=f"it may still recover from a crash; the log is in {home.logs}",
    )
