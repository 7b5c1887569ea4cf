"""What a new system needs before its first task: schema, community, people, the local site and queue, and the first tokens."""

import os
import pwd
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from joserfc.jwk import OKPKey

from pandawms.api import tokens
from pandawms.domain.queue import QueueEvent
from pandawms.main import settings as reading
from pandawms.main.files import write_private
from pandawms.main.settings import Settings
from pandawms.store import events, identity, places
from pandawms.store.database import Connection, connect
from pandawms.store.migrations import runner

COMMUNITY = "local"
ISSUER = "local"
FIRST_TOKENS = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Local:
    """What was made: who owns the local system, and its queue."""

    user_id: int
    user: str
    queue_id: int


async def bootstrap(settings: Settings, data: Path) -> Local:
    """Brings the schema up to date and makes what is missing; safe to repeat."""
    connection = await connect(reading.database_options(settings, data), "bootstrap")
    try:
        await runner.upgrade(connection)
        async with connection.transaction():
            local = await _make(connection, settings, data)
        await _tokens(connection, data, local)
    finally:
        await connection.close()
    return local


async def _make(connection: Connection, settings: Settings, data: Path) -> Local:
    community_id = await identity.ensure_community(connection, COMMUNITY)
    await places.ensure_share(connection, community_id, "all", 1.0)
    user = user_name()
    user_id = await identity.ensure_user(connection, ISSUER, user, user)
    await identity.ensure_membership(connection, user_id, community_id, "member")
    site_id = await places.ensure_site(connection, "local")
    storage = data / "storage" / "local"
    storage.mkdir(parents=True, exist_ok=True)
    endpoint_id = await places.ensure_endpoint(connection, site_id, "local", "local", storage.as_uri())
    size = settings.local
    queue_id, is_new = await places.put_queue(
        connection, community_id, site_id, size.queue, cores=size.cores, memory_mb=reading.slot_memory_mb(settings), disk_mb=size.disk_mb,
        max_wall_seconds=size.max_wall_seconds, architecture=reading.architecture(), slots=reading.local_slots(settings), nodes=size.nodes,
        gpus=size.gpus, gpu_model=size.gpu_model, gpu_memory_mb=size.gpu_memory_mb,
    )  # fmt: skip
    await places.put_queue_storage(connection, queue_id, endpoint_id, 1, 1)
    if is_new:
        await events.log(connection, "queue", queue_id, str(QueueEvent.ADD), None, "online", "bootstrap")
    return Local(user_id, user, queue_id)


async def _tokens(connection: Connection, data: Path, local: Local) -> None:
    key = tokens.load_or_create_key(data / "keys" / "issuer.json")
    for name, scopes in {"user": ("user",), "operator": ("user", "operator")}.items():
        path = data / "tokens" / name
        if not path.exists() or not await _is_valid(connection, key, path):
            write_private(path, await tokens.issue(connection, key, local.user_id, f"local {name}", scopes, None, None, FIRST_TOKENS))


async def _is_valid(connection: Connection, key: OKPKey, path: Path) -> bool:
    """Whether the database still knows the token: not after its data was removed."""
    return await tokens.is_known(connection, key, path.read_text().strip())


def user_name() -> str:
    """Returns the name of the person who runs this program, with a hyphen for whatever a user's name may not hold."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", pwd.getpwuid(os.getuid()).pw_name)[:60]
