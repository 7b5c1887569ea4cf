"""Fixtures for all tests that need PostgreSQL: one cluster a run, a database cloned from a migrated template for each test."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest

from pandawms.data.blobs import Blobs
from pandawms.data.builtin import BuiltIn
from pandawms.engine.services import Options, Services
from pandawms.store import database as db
from pandawms.store.embedded import EmbeddedServer
from pandawms.store.embedded import Options as ServerOptions
from pandawms.store.migrations import runner

TEMPLATE = "panda_template"

OTHER_POSTGRES = Path(os.environ["PANDA_TEST_POSTGRES"]) if "PANDA_TEST_POSTGRES" in os.environ else None
"""The installation of another PostgreSQL to test with, as in /usr/lib/postgresql/15."""


@dataclass(frozen=True)
class Database:
    """A fresh, migrated database with a pool."""

    url: str
    pool: db.Pool


def url_in(url: str, name: str) -> str:
    """Returns the URL of another database of the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@pytest.fixture(scope="session")
def cluster_url() -> Iterator[str]:
    """The URL of the maintenance database of a throw-away PostgreSQL; a migrated template database is in it."""
    with tempfile.TemporaryDirectory(prefix="panda-test-", ignore_cleanup_errors=True) as folder:
        options = ServerOptions(folder=Path(folder) / "postgres", durable=False, shared_buffers_mb=128, binaries_prefix=OTHER_POSTGRES)
        server = EmbeddedServer(options)
        try:
            url = server.start().dsn
            asyncio.run(_make_template(url))
            yield url
        finally:
            server.remove()


async def _make_template(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(f"CREATE DATABASE {TEMPLATE}")
    await connection.close()
    template = await asyncpg.connect(url_in(url, TEMPLATE))
    try:
        await runner.upgrade(template)
    finally:
        await template.close()


@pytest.fixture
async def empty_database_url(cluster_url: str) -> AsyncIterator[str]:
    """The URL of a database without any table."""
    async for url in _cloned(cluster_url, "template1"):
        yield url


@pytest.fixture
async def database_url(cluster_url: str) -> AsyncIterator[str]:
    """The URL of a fresh, migrated database."""
    async for url in _cloned(cluster_url, TEMPLATE):
        yield url


async def _cloned(cluster_url: str, template: str) -> AsyncIterator[str]:
    name = f"test_{uuid4().hex}"
    connection = await asyncpg.connect(cluster_url)
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    try:
        yield url_in(cluster_url, name)
    finally:
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await connection.close()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A fresh, migrated database with an open pool."""
    async with db.open_pool(db.Options(database_url, max_connections=6), "test") as pool:
        yield Database(database_url, pool)


@pytest.fixture
def services(tmp_path: Path) -> Services:
    """The engine's services with short times and the built-in data manager."""
    return Services(BuiltIn(), Blobs(tmp_path / "blobs"), Options(lease_seconds=30, heartbeat_seconds=5, poll_seconds=0.05))
