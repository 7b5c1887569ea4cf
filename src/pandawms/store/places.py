"""Sites, storage endpoints, queues and shares: where work can run and who gets how much."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pandawms.store.database import Connection
from pandawms.store.sql import load, made_or_found

sql = load("places")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A storage endpoint; `root_url` is where its files begin."""

    endpoint_id: int
    name: str
    site: str
    kind: str
    root_url: str
    is_tape: bool
    can_read: bool
    can_write: bool


@dataclass(frozen=True, slots=True)
class QueueStorage:
    """Which endpoint a queue reads and writes, nearest first; None means that it does not."""

    queue_id: int
    endpoint_id: int
    read_order: int | None
    write_order: int | None


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A queue and what it can run; memory and disk in MB for the `cores` cores of each node of a slot.

    `last_failure` is why a pilot failed there in the last 10 min.
    """

    queue_id: int
    name: str
    community: str
    site: str
    status: str
    cores: int
    memory_mb: int
    disk_mb: int
    max_wall_seconds: int
    architecture: str
    gpus: int
    slots: int
    last_pilot_at: datetime | None
    provisioned_at: datetime | None
    settings: dict[str, Any]
    activated_jobs: int = 0
    running_jobs: int = 0
    other_jobs: int = 0
    workers: int = 0
    last_failure: str | None = None
    nodes: int = 1
    gpu_model: str = ""
    gpu_memory_mb: int = 0


@dataclass(frozen=True, slots=True)
class QueueState:
    """What a pilot's call needs to know of its queue."""

    queue_id: int
    name: str
    status: str


@dataclass(frozen=True, slots=True)
class SiteRow:
    """A site and the names of its queues."""

    site_id: int
    name: str
    region: str
    queues: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShareRow:
    """A node of the share tree with the jobs that run under it."""

    share_id: int
    parent_id: int | None
    name: str
    weight: float
    running_jobs: int


@dataclass(frozen=True, slots=True)
class Demand:
    """What a queue could start at once, and what runs there."""

    activated_jobs: int
    running_jobs: int


async def ensure_site(connection: Connection, name: str) -> int:
    """Returns the id of the site, made when missing."""
    return await made_or_found(sql.ensure_site, connection, name=name)


async def ensure_endpoint(connection: Connection, site_id: int, name: str, kind: str, root_url: str) -> int:
    """Returns the id of the endpoint, made when missing, with this root."""
    return int(await sql.ensure_endpoint(connection, site_id=site_id, name=name, kind=kind, root_url=root_url))


async def ensure_share(connection: Connection, community_id: int, name: str, weight: float) -> int:
    """Returns the id of the share, made when missing, with this weight."""
    return int(await sql.ensure_share(connection, community_id=community_id, name=name, weight=weight))


async def put_queue(connection: Connection, community_id: int, site_id: int, name: str, *, cores: int, memory_mb: int, disk_mb: int,
                    max_wall_seconds: int, architecture: str, slots: int, nodes: int = 1, gpus: int = 0, gpu_model: str = "",
                    gpu_memory_mb: int = 0) -> tuple[int, bool]:  # fmt: skip
    """Makes a queue, online, or gives an existing one this size. Returns its id and whether it is new."""
    row = await sql.put_queue(
        connection, community_id=community_id, site_id=site_id, name=name, cores=cores, memory_mb=memory_mb, disk_mb=disk_mb,
        max_wall_seconds=max_wall_seconds, architecture=architecture, slots=slots, nodes=nodes, gpus=gpus, gpu_model=gpu_model, gpu_memory_mb=gpu_memory_mb,
    )  # fmt: skip
    return int(row["queue_id"]), bool(row["is_new"])


async def put_queue_storage(connection: Connection, queue_id: int, endpoint_id: int, read_order: int | None, write_order: int | None) -> None:
    """Ties a queue to an endpoint."""
    await sql.put_queue_storage(connection, queue_id=queue_id, endpoint_id=endpoint_id, read_order=read_order, write_order=write_order)


async def endpoints(connection: Connection) -> tuple[Endpoint, ...]:
    """Returns all storage endpoints."""
    return tuple([Endpoint(**row) async for row in sql.endpoints(connection)])


async def queue_endpoints(connection: Connection) -> tuple[QueueStorage, ...]:
    """Returns which queue uses which endpoint, nearest first."""
    return tuple([QueueStorage(**row) async for row in sql.queue_endpoints(connection)])


async def sites(connection: Connection) -> tuple[SiteRow, ...]:
    """Returns all sites by name."""
    return tuple([SiteRow(**{**row, "queues": tuple(row["queues"])}) async for row in sql.sites(connection)])


async def count_jobs(connection: Connection) -> None:
    """Counts the hot jobs again when the last count is too old to be believed; `queues` and `jobs_by_status` do so themselves where they may write."""
    await sql.refresh_fill(connection)


async def queues(connection: Connection) -> tuple[QueueRow, ...]:
    """Returns all queues by name, with how full they are: as of now, or with more than 10,000 hot jobs as of up to 10 us a job ago (2 s at 200,000)."""
    await count_jobs(connection)
    return tuple([_queue(row) async for row in sql.queues(connection)])


async def queue_by_name(connection: Connection, name: str) -> QueueRow | None:
    """Returns one queue without its fill, or None."""
    row = await sql.queue_by_name(connection, name=name)
    return row and _queue(row)


async def queue_ids(connection: Connection) -> list[int]:
    """Returns the ids of all queues."""
    return [row["queue_id"] async for row in sql.queue_ids(connection)]


async def queue_states(connection: Connection, names: Collection[str]) -> dict[str, QueueState]:
    """Returns the state of those queues that there are, by name."""
    return {row["name"]: QueueState(**row) async for row in sql.queue_states(connection, names=list(names))}


async def demand(connection: Connection, queue_id: int, ceiling: int) -> Demand:
    """Returns what a queue could start, counted no further than the ceiling."""
    return Demand(**await sql.demand(connection, queue_id=queue_id, ceiling=ceiling))


async def note_pilot(connection: Connection, queue_id: int) -> None:
    """Keeps that a pilot asked this queue for work (at most once in 10 s)."""
    await sql.note_pilot(connection, queue_id=queue_id)


async def note_provisioner(connection: Connection, queue_id: int) -> None:
    """Keeps that a provisioner looks after this queue (at most once in 5 s)."""
    await sql.note_provisioner(connection, queue_id=queue_id)


async def default_share(connection: Connection, community_id: int) -> int | None:
    """Returns the first share of a community, or None."""
    found: int | None = await sql.default_share(connection, community_id=community_id)
    return found


async def shares(connection: Connection) -> tuple[ShareRow, ...]:
    """Returns all shares with the jobs that run under them."""
    return tuple([ShareRow(**row) async for row in sql.shares(connection)])


async def jobs_by_status(connection: Connection) -> dict[str, int]:
    """Returns how many hot jobs have each status, as old as what `queues` tells."""
    await count_jobs(connection)
    return {row["status"]: row["n"] async for row in sql.jobs_by_status(connection)}


def _queue(row: Any) -> QueueRow:
    return QueueRow(**{name: row[name] for name in QueueRow.__dataclass_fields__ if name in row.keys()})  # noqa: SIM118  (a Record iterates over values)
