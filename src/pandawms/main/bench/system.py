"""The system under measurement: one PostgreSQL as the release configures it, and in a database of its own each, a real server and a real engine."""

import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from pandawms.api import tokens
from pandawms.client.client import Client
from pandawms.domain.errors import Conflict, PandaError, Unavailable
from pandawms.domain.queue import QueueEvent
from pandawms.main import bootstrap, ports, settings, up
from pandawms.main.bench import loops
from pandawms.main.bench.load import Target
from pandawms.main.bench.meter import stat
from pandawms.main.bootstrap import Local
from pandawms.main.child import Child
from pandawms.main.files import write_private
from pandawms.main.processes import Book, end, wait_until
from pandawms.store import bench, events, places
from pandawms.store.database import Connection, Options, Own, Pool, connect, open_pool
from pandawms.store.embedded import EmbeddedServer

T = TypeVar("T")

QUEUE_SIZE: Mapping[str, Any] = {"cores": 1, "memory_mb": 64_000, "disk_mb": 1_000_000, "max_wall_seconds": 604_800, "slots": 1000}
START_SECONDS = 60.0


@dataclass(slots=True)
class Cluster:
    """The PostgreSQL of a benchmark's data folder; `settings` are those of the folder's panda.toml, the release's own where it says nothing."""

    data: Path
    server: EmbeddedServer
    url: str

    def database(self, name: str) -> str:
        """Returns the URL of a database of this name, made when missing."""
        loops.run(self._make(name))
        return self._url(name)

    def drop(self, name: str) -> None:
        """Deletes a database."""
        loops.run(self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))

    def _url(self, name: str) -> str:
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))

    async def _make(self, name: str) -> None:
        connection = await connect(_options(self.url), "bench")
        try:
            if not await connection.fetchval("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)", name):
                await connection.execute(f'CREATE DATABASE "{name}"')
        finally:
            await connection.close()

    async def _execute(self, statement: str) -> None:
        connection = await connect(_options(self.url), "bench")
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@contextmanager
def cluster(data: Path) -> Iterator[Cluster]:
    """Runs the PostgreSQL of a data folder for the length of the block."""
    given = settings.load(data)
    server = EmbeddedServer(up.database_options(data, given))
    try:
        yield Cluster(data, server, server.start().dsn)
    finally:
        server.stop()


@dataclass(slots=True)
class System:
    """Server and engine over one database of the cluster. `targets` are its queues with a pilot's token each."""

    name: str
    folder: Path
    database_url: str
    port: int
    children: list[Child] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    local: Local | None = None

    @property
    def url(self) -> str:
        """The address of the API."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What its programs get: the database beside everything that we have."""
        return dict(os.environ) | {"PANDA_DATABASE_URL": self.database_url}

    @property
    def given(self) -> settings.Settings:
        """Its settings."""
        return settings.load(self.folder, self.environment)

    def pid(self, name: str) -> int:
        """Returns the process of `server` or `engine`. Raises Unavailable when it has died."""
        for child in self.children:
            if child.name == name and child.identity is not None:
                return child.identity.pid
        raise Unavailable(f"the {name} of the benchmark has ended", code="bench.died", hint=f"look into {self.folder / 'logs'}")

    def run(self, work: Callable[[Pool], Awaitable[T]]) -> T:
        """Does something with a pool of connections to the database."""

        async def do() -> T:
            async with open_pool(_options(self.database_url), "bench") as pool:
                return await work(pool)

        return loops.run(do())

    def ask(self, work: Callable[[Own], Awaitable[T]]) -> T:
        """Does something with one connection, outside any transaction."""

        async def do() -> T:
            connection = await connect(_options(self.database_url), "bench")
            try:
                return await work(connection)
            finally:
                await connection.close()

        return loops.run(do())

    def prepare(self, queues: Sequence[str]) -> None:
        """Brings the schema up to date and makes community, people and these queues, with a pilot's token for each."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "logs").mkdir(exist_ok=True)
        local = self.local = loops.run(bootstrap.bootstrap(self.given, self.folder))

        async def make(pool: Pool) -> list[Target]:
            async with pool.acquire() as connection, connection.transaction():
                return [await self._queue(connection, local, name) for name in queues]

        self.targets = self.run(make)

    async def _queue(self, connection: Connection, local: Local, name: str) -> Target:
        known = await places.queue_by_name(connection, self.given.local.queue)
        assert known is not None, "bootstrap makes the local queue"
        (endpoint,) = await places.endpoints(connection)
        community_id = await connection.fetchval("SELECT community_id FROM queue WHERE queue_id = $1", known.queue_id)
        site_id = await places.ensure_site(connection, "local")
        queue_id, is_new = await places.put_queue(connection, community_id, site_id, name, architecture="x86_64", **QUEUE_SIZE)
        await places.put_queue_storage(connection, queue_id, endpoint.endpoint_id, 1, 1)
        if is_new:
            await events.log(connection, "queue", queue_id, str(QueueEvent.ADD), None, "online", "bench")
        key = tokens.load_or_create_key(self.folder / "keys" / "issuer.json")
        text = await tokens.issue(connection, key, local.user_id, "bench", ("pilot",), queue_id, name, timedelta(days=2))
        return Target(name, text)

    def start(self, *names: str) -> None:
        """Starts `server` and `engine` (or those named) and returns when the API answers."""
        self._end_left_over()
        arguments = {"server": ["--port", str(self.port)]}
        for name in names or ("server", "engine"):
            command = [sys.executable, "-m", "pandawms.main.panda", name, "--data", str(self.folder), *arguments.get(name, [])]
            child = Child(name, command, self.folder / "logs" / f"{name}.log", self.environment)
            self.children.append(child)
            child.start()
        self._book.write({child.name: child.identity for child in self.children if child.identity is not None})
        if any(child.name == "server" for child in self.children):
            self._wait()

    @property
    def _book(self) -> Book:
        return Book(self.folder / "run" / "processes.json")

    def _end_left_over(self) -> None:
        """Ends what a benchmark that was killed left behind."""
        for process in self._book.read().values():
            end(process, 6.0)

    def _wait(self) -> None:
        with Client(self.url, (self.folder / "tokens" / "user").read_text().strip()) as client:

            def answers() -> bool:
                with suppress(PandaError):
                    return client.system.health().status != "down"
                return False

            if not wait_until(answers, START_SECONDS):
                raise Unavailable(f"the server did not start within {START_SECONDS:.0f} s", code="bench.server", hint=f"look into {self.folder / 'logs'}")

    def stop(self) -> None:
        """Ends server and engine."""
        for child in reversed(self.children):
            if child.identity is not None:
                end(child.identity, 8.0)
            if child.process is not None:
                child.process.wait()
        self.children.clear()
        self._book.path.unlink(missing_ok=True)

    def write_targets(self, queues: Sequence[str]) -> Path:
        """Writes these queues and their tokens where the load generator reads them."""
        path = self.folder / "run" / "targets.json"
        write_private(path, json.dumps([{"queue": target.queue, "token": target.token} for target in self.targets if target.queue in queues]))
        return path

    def postmaster(self) -> int:
        """Returns the first process of PostgreSQL."""
        return self.ask(self._postmaster)

    async def _postmaster(self, connection: Own) -> int:
        found = stat(await bench.backend_pid(connection))
        assert found is not None, "a backend that answers runs"
        return found.parent


def system(data: Path, cluster: Cluster, name: str, queues: Sequence[str] = ("bench",)) -> System:
    """Returns a system of this name, prepared but not started. One whose database another release has left is made anew."""
    made = System(name, data / name, cluster.database(f"panda_{name}"), ports.free())
    try:
        made.prepare(queues)
    except Conflict:
        cluster.drop(f"panda_{name}")
        cluster.database(f"panda_{name}")
        made.prepare(queues)
    return made


@contextmanager
def running(made: System, *names: str) -> Iterator[System]:
    """Runs a system's programs for the length of the block."""
    try:
        made.start(*names)
        yield made
    finally:
        made.stop()


def _options(url: str) -> Options:
    return Options(url=url, statement_timeout_seconds=1800, idle_in_transaction_seconds=600)
