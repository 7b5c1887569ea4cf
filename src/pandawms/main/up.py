"""The program `panda up`: one process that starts and keeps up PostgreSQL, server, engine and local provisioner.

It may be killed at any time: the next one ends server, engine and provisioner that were left, adopts the database that still runs, and its provisioner
adopts the pilots. `panda down` ends it with all it has started. It holds the socket of the API, so that servers come and go and no connection is refused.
"""

import asyncio
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from pandawms.client.client import Client
from pandawms.domain.errors import Conflict, PandaError, Unavailable
from pandawms.main import address, bootstrap, logs, ports, settings, sockets
from pandawms.main.child import Child
from pandawms.main.files import write_private, write_public
from pandawms.main.processes import Book, end, wait_until
from pandawms.main.settings import EMBEDDED, Settings
from pandawms.main.stopping import Stop, stoppable
from pandawms.pilot.build import build
from pandawms.store import embedded
from pandawms.wire.system import Health

log = structlog.get_logger()

PANDA = (sys.executable, "-m", "pandawms.main.panda")
PROGRAMS = ("server", "engine", "provision")
START_SECONDS = 60.0
STOP_SECONDS = {"provision": 30.0, "engine": 10.0, "server": 8.0}
UPGRADE_SECONDS = 600.0
SECOND = ".second"
"""What the book adds to the name of a program that runs beside the one that it replaces, or is replaced by."""


@dataclass(slots=True)
class Tree:
    """Everything that one `panda up` keeps running for a data folder. `second` is the other process of a program that is just being replaced."""

    data: Path
    settings: Settings
    port: int
    environment: dict[str, str]
    children: list[Child] = field(default_factory=list)
    database: embedded.EmbeddedServer | None = None
    endpoint: embedded.Endpoint | None = None
    listener: socket.socket | None = None
    second: Child | None = None

    @property
    def url(self) -> str:
        """The address of the API, as commands and pilots know it."""
        given = self.settings.server
        return address.public(given.public_url, given.host, self.port, given.tls_certificate)

    @property
    def book(self) -> Book:
        """Which processes this tree has."""
        return Book(self.data / "run" / "processes.json")

    def start(self) -> None:
        """Starts everything and returns when the API answers. Raises Unavailable when it does not in time."""
        given = self.settings.server
        if given.tls_certificate:
            address.check_files(given.tls_certificate, given.tls_key)
        end_left_over(self.book)
        self.listener = sockets.open_socket(given.host, self.port)
        address.check_reach(self.listener.getsockname()[0], given.tls_certificate)
        self._start_database()
        asyncio.run(bootstrap.bootstrap(self.settings, self.data))
        build(self.data / "pilot.pyz")
        write_public(self.data / "run" / "endpoint.json", json.dumps({"url": self.url}))
        (self.data / "logs").mkdir(exist_ok=True)
        self.children = [self._child(name) for name in PROGRAMS]
        for child in self.children[:1]:
            child.start()
        self._note()
        self._wait_until(lambda health: health.status != "down")
        for child in self.children[1:]:
            child.start()
        self._note()
        self._wait_until(lambda health: all(check.ok for check in health.checks if check.name == "engine"))

    def look(self, but: Child | None = None) -> None:
        """Starts again what has died, but for one program."""
        if self.database is not None and not self.database.is_running():
            log.warning("database.restarted")
            self._start_database()
        if sum(child.look() for child in self.children if child is not but):
            self._note()

    def reload(self) -> None:
        """Replaces server, engine and provisioner by the installed build, one after the other, each only when the new one is ready.

        Raises Unavailable when one does not become ready, and OSError when it cannot be started or written down; then the old one goes on. The provisioner's
        pilots are taken over by the next.
        """
        self._upgrade("pre")
        build(self.data / "pilot.pyz")
        try:
            for name in PROGRAMS[:2]:
                self._replace(name)
        finally:
            self._drop_second()
        self._replace_provisioner()
        if self.database is not None:  # nobody else has it, so the old code is gone
            self._upgrade("post")

    def _upgrade(self, phase: str) -> None:
        """Brings the schema up to date by the installed build's own command, as this process may be of an older one."""
        with (self.data / "logs" / "upgrade.log").open("ab") as output:
            command = [*PANDA, "--data", str(self.data), "db", "upgrade", "--phase", phase]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=self.environment)
        if not self._wait(lambda: process.poll() is not None, UPGRADE_SECONDS) or process.returncode:
            process.kill()
            raise Unavailable(f"the database could not be upgraded ({phase})", code="up.upgrade", hint=f"look into {self.data / 'logs' / 'upgrade.log'}")

    def _replace(self, name: str) -> None:
        old, new = self._named(name), self._child(name)
        new.start()
        self.second = new
        self._note()
        if not self._wait(lambda: new.is_ready or not new.is_running, START_SECONDS) or not new.is_ready:
            raise Unavailable(f"the new {name} did not become ready; the old one goes on", code="up.reload", hint=f"look into {old.log_path}")
        self.children[self.children.index(old)], self.second = new, old
        self._note()
        self._drop_second()
        log.info("child.replaced", name=name)

    def _drop_second(self) -> None:
        if self.second is not None:
            self.second.end(STOP_SECONDS[self.second.name])
            self.second = None
            self._note()

    def _replace_provisioner(self) -> None:
        """There is never a second one, which would start pilots of its own. At SIGHUP it leaves its pilots to the next."""
        child = self._named("provision")
        if child.identity is not None:
            os.kill(child.identity.pid, signal.SIGHUP)
            self._wait(lambda: not child.is_running, STOP_SECONDS["provision"], but=child)
            if child.identity is not None:
                os.kill(child.identity.pid, signal.SIGKILL)
        self.children[self.children.index(child)] = new = self._child("provision")
        new.start()
        self._note()
        log.info("child.replaced", name="provision")

    def _named(self, name: str) -> Child:
        return next(child for child in self.children if child.name == name)

    def _wait(self, condition: Callable[[], bool], seconds: float, but: Child | None = None) -> bool:
        """Waits for a condition and keeps everything up meanwhile, but for one program that is to end."""

        def holds() -> bool:
            self.look(but)
            return condition()

        return wait_until(holds, seconds, 0.1)

    def stop(self) -> None:
        """Ends everything: first the provisioner with its pilots, while the server still takes their reports."""
        self._drop_second()
        for child in sorted(self.children, key=lambda child: list(STOP_SECONDS).index(child.name)):
            child.end(STOP_SECONDS[child.name])
        if self.listener is not None:
            self.listener.close()
        if self.database is not None:
            self.database.stop()
        for name in ("processes.json", "endpoint.json", "database.json"):
            (self.data / "run" / name).unlink(missing_ok=True)

    def _start_database(self) -> None:
        if self.settings.database.url != EMBEDDED:
            return
        if self.database is None:
            self.database = embedded.EmbeddedServer(database_options(self.data, self.settings))
        try:
            self.endpoint = self.database.start()
        except Unavailable as error:
            if error.code != "postgres_port":
                raise
            (self.data / "run" / "database.port").unlink(missing_ok=True)
            self.database = embedded.EmbeddedServer(database_options(self.data, self.settings))
            self.endpoint = self.database.start()
        write_private(self.data / "run" / "database.json", json.dumps({"url": self.endpoint.dsn}))

    def _child(self, name: str) -> Child:
        assert self.listener is not None, "it is opened before the first child"
        fd = self.listener.fileno()
        arguments = {"server": ["--fd", str(fd)], "provision": ["--stop-workers-at-exit"]}.get(name, [])
        command = [*PANDA, name, "--data", str(self.data), *arguments]
        descriptors = (fd,) if name == "server" else ()
        return Child(name, command, self.data / "logs" / f"{name}.log", self.environment, tells=name != "provision", sockets=descriptors)

    def _note(self) -> None:
        known = {child.name: child.identity for child in self.children}
        if self.second is not None:
            known[f"{self.second.name}{SECOND}"] = self.second.identity
        self.book.write({name: process for name, process in known.items() if process is not None})

    def _wait_until(self, condition: Callable[[Health], bool]) -> None:
        """Waits until the server answers and the condition holds. What ails the provisioner or its pilots is no reason not to start."""
        last = ""
        with self._own_client() as client:

            def answers() -> bool:
                """Whether all programs are ready and the server says what is wanted; keeps what is in the way."""
                nonlocal last
                sum(child.look() for child in self.children if child.process is not None)
                late = next((child for child in self.children if child.process is not None and child.tells and not child.is_ready), None)
                if late is not None:
                    last = f"{late.name}: {late.last_error() or 'it is not ready'}"
                    return False
                try:
                    health = client.system.health()
                except PandaError as error:
                    last = error.detail
                    return False
                last = "; ".join(f"{check.name}: {check.detail}" for check in health.checks if not check.ok)
                return condition(health)

            if not wait_until(answers, START_SECONDS, 0.1):
                detail = f"the system did not start within {START_SECONDS:.0f} s{f': {last}' if last else ''}"
                raise Unavailable(detail, code="up.server", hint=f"look into {self.data / 'logs'}")

    def _own_client(self) -> Client:
        """A client that does not depend on what others call this system, nor on whom they trust."""
        given, token = self.settings.server, (self.data / "tokens" / "user").read_text().strip()
        url = address.own(given.host, self.port, is_tls=bool(given.tls_certificate))
        return Client(url, token, trust=address.own_trust(given.tls_certificate) if given.tls_certificate else None)


def database_options(data: Path, given: Settings) -> embedded.Options:
    """Returns the options of the embedded database of a data folder; its port stays the same for as long as the folder lives and the port is free."""
    return embedded.Options(folder=data / "postgres", port=ports.kept(data / "run" / "database.port"), shared_buffers_mb=given.database.shared_buffers_mb)


def end_left_over(book: Book) -> None:
    """Ends what an earlier `panda up` of this folder left behind; its pilots and its database are adopted instead."""
    left = book.read()
    for name, process in left.items():
        log.warning("child.left_over", name=name, pid=process.pid)
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL if name == "provision" else signal.SIGTERM)
    for process in left.values():
        end(process, 6.0)


@contextmanager
def only_one(data: Path) -> Iterator[None]:
    """Holds the data folder for this `panda up`. Raises Conflict when another one runs."""
    run = data / "run"
    run.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (run / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Conflict(
                f"a `panda up` runs already for {data}", code="up.running", field="data", value=str(data),
                hint="use it, end it with `panda down`, or choose another --data",
            ) from error  # fmt: skip
        yield


def run(data: Path, *, port: int | None = None, slots: int | None = None, ready: Callable[[str], None] = lambda url: None) -> None:
    """Starts the system of a data folder, calls `ready` with its address, and keeps it up until SIGTERM or SIGINT."""
    environment = dict(os.environ) | ({"PANDA_LOCAL_SLOTS": str(slots)} if slots is not None else {})
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    given = settings.load(data, environment)
    logs.configure(given.log_format)
    with only_one(data):
        tree = Tree(data, given, ports.choose(data, given.server.host, port or given.server.port), environment)
        hangups = Hangups()
        with stoppable(hangups.is_the_end):
            try:
                tree.start()
                (data / "run" / "reload.json").unlink(missing_ok=True)
                write_private(data / "run" / "up.json", json.dumps({"pid": os.getpid(), "reloads": True}))
                ready(tree.url)
                while True:
                    time.sleep(0.2)
                    _keep(tree)
                    if hangups.is_heard:
                        hangups.is_heard = False
                        _reload(tree)
            except Stop:
                log.info("up.stopping")
            finally:
                tree.stop()
                (data / "run" / "up.json").unlink(missing_ok=True)


class Hangups:
    """What SIGHUP means: the end when the terminal has gone in which we were started, else a wish for the newest build."""

    def __init__(self) -> None:
        self.had_terminal, self.is_heard = has_terminal(), False

    def is_the_end(self) -> bool:
        """Asked by the signal's handler."""
        if self.had_terminal and not has_terminal():
            return True
        self.is_heard = True
        return False


def has_terminal() -> bool:
    """Whether this process has a terminal that it ends with."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _reload(tree: Tree) -> None:
    """Reloads, and leaves what came of it for `panda reload`, with the time at which it began: whoever asked later waits for the next.

    That is by the clock of the machine, which is the same for all processes and does not jump.
    """
    begun_seconds, failure = time.monotonic(), None
    try:
        tree.reload()
    except (PandaError, OSError) as error:
        failure = error
    detail, hint = _words(failure) if failure is not None else ("", "")
    with suppress(OSError):  # a disk that is full is no reason to end
        if failure is not None:
            log.error("up.not_reloaded", error=detail, hint=hint)
        else:
            log.info("up.reloaded")
    with suppress(OSError):
        write_private(tree.data / "run" / "reload.json", json.dumps({"begun_seconds": begun_seconds, "error": detail, "hint": hint}))


def _keep(tree: Tree) -> None:
    try:
        tree.look()
    except (PandaError, OSError) as failure:
        detail, hint = _words(failure)
        with suppress(OSError):
            log.error("up.failed", error=detail, hint=hint)


def _words(failure: PandaError | OSError) -> tuple[str, str]:
    """What went wrong and what helps, for a person."""
    if isinstance(failure, PandaError):
        return failure.detail, failure.hint or ""
    return f"{type(failure).__name__}: {failure}", ""
