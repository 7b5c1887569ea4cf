"""The whole API in process, over a small world in a fresh database: clients for a user, another user, an operator and a pilot."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar

from pandawms.api import tokens
from pandawms.api.app import create_app
from pandawms.api.core import Core, Options, make_core
from pandawms.data.blobs import Blobs
from pandawms.engine.services import Services
from pandawms.store import identity, places
from tests.conftest import Database
from tests.world import World, make

OPTIONS = Options(event_poll_seconds=0.05, event_silence_seconds=0.3, presence_seconds=0.1, token_seconds=0.1)


@dataclass(frozen=True)
class Api:
    """A server in process. `ada` and `bob` are users of one community, `eve` of another; `operator` is ada with more scopes; `pilot` is of queue local."""

    world: World
    core: Core
    app: Litestar
    storage: Path
    tokens: dict[str, str]
    nobody: httpx.AsyncClient
    ada: httpx.AsyncClient
    bob: httpx.AsyncClient
    eve: httpx.AsyncClient
    operator: httpx.AsyncClient
    pilot: httpx.AsyncClient
    stranger: httpx.AsyncClient


@pytest.fixture
async def api(database: Database, services: Services, tmp_path: Path) -> AsyncIterator[Api]:
    """The API with its clients."""
    storage = tmp_path / "storage"
    storage.mkdir()
    world = await make(database.pool, services)
    key = tokens.load_or_create_key(tmp_path / "keys" / "issuer.json")
    core = make_core(database.pool, services, Blobs(tmp_path / "blobs"), key, OPTIONS)
    issued = await _tokens(core, world, storage)
    app = create_app(core)
    async with AsyncExitStack() as stack:
        clients = {name: await stack.enter_async_context(client_of(app, issued.get(name))) for name in ("nobody", *issued)}
        yield Api(world=world, core=core, app=app, storage=storage, tokens=issued, **clients)


def client_of(app: Litestar, token: str | None, address: str = "192.0.2.1") -> httpx.AsyncClient:
    """A client of an application in process, as it looks from this address."""
    plain: Any = app  # the two libraries type ASGI differently
    transport = httpx.ASGITransport(plain, raise_app_exceptions=False, client=(address, 1))
    return httpx.AsyncClient(transport=transport, base_url="http://api/api/v2", headers={"Authorization": f"Bearer {token}"} if token else {})


async def _tokens(core: Core, world: World, storage: Path) -> dict[str, str]:
    async with core.pool.acquire() as connection, connection.transaction():
        site_id = await places.ensure_site(connection, "here")
        await places.ensure_endpoint(connection, site_id, "disk", "local", storage.as_uri())
        community_id = await identity.ensure_community(connection, "local")
        elsewhere_id = await identity.ensure_community(connection, "elsewhere")
        bob = await identity.ensure_user(connection, "test", "bob", "bob")
        eve = await identity.ensure_user(connection, "test", "eve", "eve")
        await identity.ensure_membership(connection, bob, community_id, "member")
        await identity.ensure_membership(connection, eve, elsewhere_id, "member")
        other_id, _ = await places.put_queue(
            connection, community_id, site_id, "other", cores=1, memory_mb=500, disk_mb=500, max_wall_seconds=3600, architecture="x86_64", slots=1
        )
        wanted: dict[str, tuple[int, tuple[str, ...], int | None, str | None]] = {
            "ada": (world.who.user_id, ("user",), None, None),
            "bob": (bob, ("user",), None, None),
            "eve": (eve, ("user",), None, None),
            "operator": (world.who.user_id, ("user", "operator"), None, None),
            "pilot": (world.who.user_id, ("pilot",), world.queue_id, "local"),
            "stranger": (world.who.user_id, ("pilot",), other_id, "other"),
        }
        hour = timedelta(hours=1)
        return {
            name: await tokens.issue(connection, core.key, user_id, name, scopes, queue_id, queue, hour)
            for name, (user_id, scopes, queue_id, queue) in wanted.items()
        }
