"""Whatever the description allows, and much that it does not, is answered as the description says: never by a fault, never by surprise."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from pandawms.api import openapi, tokens
from pandawms.api.app import bare_app, create_app
from pandawms.api.core import Options, make_core
from pandawms.data.blobs import Blobs
from pandawms.data.builtin import BuiltIn
from pandawms.engine.services import Services
from pandawms.store import database as db
from tests.conftest import TEMPLATE, url_in
from tests.world import make, task

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 4
schema = schemathesis.openapi.from_dict(openapi.document(bare_app())).exclude(path="/api/v2/events")


class Served:
    """A server in a thread, over a database of its own; `ready` is set when it listens."""

    def __init__(self, cluster_url: str, folder: Path) -> None:
        self.cluster_url, self.folder = cluster_url, folder
        self.url, self.token = "", ""
        self.ready = threading.Event()
        self.server: uvicorn.Server | None = None

    async def serve(self) -> None:
        """Serves until it is told to end."""
        name = f"test_{uuid4().hex}"
        connection = await asyncpg.connect(self.cluster_url)
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        try:
            async with db.open_pool(db.Options(url_in(self.cluster_url, name), max_connections=4), "test") as pool:
                await self._serve(pool)
        finally:
            await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
            await connection.close()

    async def _serve(self, pool: db.Pool) -> None:
        services, key = Services(BuiltIn(), Blobs(self.folder / "blobs")), tokens.load_or_create_key(self.folder / "key.json")
        world = await make(pool, services)
        await world.submit(**task())
        async with pool.acquire() as connection:
            self.token = await tokens.issue(
                connection, key, world.who.user_id, "all", ("user", "operator", "pilot"), world.queue_id, "local", timedelta(hours=1)
            )
        core = make_core(pool, services, Blobs(self.folder / "blobs"), key, Options(longest_wait_seconds=0.1))
        self.server = uvicorn.Server(uvicorn.Config(create_app(core), port=0, log_level="error"))
        watcher = asyncio.create_task(self._announce())
        await self.server.serve()
        await watcher

    async def _announce(self) -> None:
        assert self.server is not None
        while not self.server.started:  # noqa: ASYNC110  (uvicorn has no event for it)
            await asyncio.sleep(0.01)
        host, port = self.server.servers[0].sockets[0].getsockname()
        self.url = f"http://{host}:{port}"
        self.ready.set()


@pytest.fixture(scope="module")
def served(cluster_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The server, ended at the end."""
    found = Served(cluster_url, tmp_path_factory.mktemp("served"))
    thread = threading.Thread(target=lambda: asyncio.run(found.serve()))
    thread.start()
    assert found.ready.wait(20), "the server did not start"
    yield found
    assert found.server is not None
    found.server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
def test_every_route_answers_as_described(case: "schemathesis.Case[Any]", served: Served) -> None:
    case.call_and_validate(base_url=served.url, headers={"Authorization": f"Bearer {served.token}"}, checks=CHECKS, timeout=20)
