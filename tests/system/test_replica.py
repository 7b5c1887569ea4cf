"""A system whose lists are read from a streaming replica, as docs/how-to/operator/own-postgresql.md sets it up."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from pandawms.store.embedded import EmbeddedServer, Options
from pandawms.store.embedded.binaries import binaries, copied
from pandawms.store.embedded.home import prepared
from pandawms.store.embedded.probe import free_port
from tests.conftest import OTHER_POSTGRES
from tests.system.conftest import SETTINGS
from tests.system.running import Running, started, until


@dataclass
class Server:
    """One PostgreSQL of ours, always at the same address."""

    options: Options

    def __post_init__(self) -> None:
        self.embedded = EmbeddedServer(self.options)
        self.url = ""

    def start(self) -> None:
        """Starts it and notes where it listens."""
        found = self.embedded.start()
        self.url = f"postgresql://{found.user}:{found.password}@{found.host}:{found.port}/{found.database}"

    def ask(self, statement: str) -> Any:
        """The rows of one statement, each as a tuple."""
        return asyncio.run(_ask(self.url, statement))


async def _ask(url: str, statement: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()


def _options(folder: Path) -> Options:
    return Options(folder=folder, port=free_port(), shared_buffers_mb=32, durable=False, binaries_prefix=OTHER_POSTGRES)


def _copy(primary: Server, replica: Server) -> None:
    """Makes the replica's data folder by a base backup, with the words to follow the primary in it."""
    ((access,),) = primary.ask("SHOW hba_file")
    with open(access, "a") as file:
        file.write("host replication all 127.0.0.1/32 scram-sha-256\n")
    primary.ask("SELECT pg_reload_conf()")
    home = prepared(replica.options)
    programs = binaries(OTHER_POSTGRES)
    if home.account.switches and OTHER_POSTGRES is None:
        programs = copied(programs, replica.options.system_folder / "binaries")
    home.data.mkdir(mode=0o700)
    home.account.own(home.data)
    home.account.run([
        programs.bin / "pg_basebackup", "--write-recovery-conf", "--checkpoint=fast", "--no-sync", "-D", home.data, "-d", primary.url.rpartition("/")[0],
    ])  # fmt: skip
    home.password.write_text(prepared(primary.options).password.read_text())


@contextmanager
def _replicated(folder: Path) -> Iterator[tuple[Server, Server]]:
    """A primary and a replica that streams from it; nothing is left of them afterwards."""
    primary, replica = Server(_options(folder / "primary")), Server(_options(folder / "replica"))
    for server in (primary, replica):
        server.options.folder.mkdir()
    try:
        primary.start()
        _copy(primary, replica)
        replica.start()
        yield primary, replica
    finally:
        replica.embedded.remove()
        primary.embedded.remove()


def _lists(system: Running) -> httpx.Response:
    """What the API answers to who asks for the tasks, once."""
    url = json.loads((system.data / "run" / "endpoint.json").read_text())["url"]
    token = (system.data / "tokens" / "user").read_text().strip()
    return httpx.get(f"{url}/api/v2/tasks", headers={"Authorization": f"Bearer {token}"}, timeout=30)


def _names(system: Running) -> set[str]:
    answer = _lists(system)
    return {task["name"] for task in answer.json()["items"]} if answer.status_code == 200 else set()


def test_lists_are_read_from_the_replica_and_nothing_else_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o755)
    with _replicated(tmp_path) as (primary, replica):
        database = f'[database]\nurl = "{primary.url}"\nread_url = "{replica.url}"\n'
        with started(database + SETTINGS) as system:
            replica.ask("SELECT pg_wal_replay_pause()")
            until(lambda: replica.ask("SELECT pg_get_wal_replay_pause_state()") == [("paused",)], 10, "the replica lags")
            system.submit("late", inputs={"events": {"count": 5}}, merge=None)
            assert system.wait("late").status == "done", "real pilots do the task"
            assert _names(system) == set(), "the list lags behind, the task by its name does not"
            replica.ask("SELECT pg_wal_replay_resume()")
            until(lambda: "late" in _names(system), 10, "the replica has caught up")
            sessions = replica.ask("SELECT DISTINCT application_name FROM pg_stat_activity WHERE application_name LIKE 'panda%'")
            assert sessions == [("panda-read",)]

            monkeypatch.setenv("PANDA_DATABASE_URL", replica.url)
            system.panda("db", "check")
            monkeypatch.delenv("PANDA_DATABASE_URL")

            replica.embedded.stop()
            assert (_lists(system).status_code, _lists(system).json()["code"]) == (503, "database.unavailable")
            assert system.task("late").status == "done"
            replica.start()
            until(lambda: "late" in _names(system), 10, "the replica is back, without a restart of the server")
