"""Workers: one pilot each in a slot of a batch system."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from pandawms.domain.worker import WORKER, WorkerStatus
from pandawms.store import events
from pandawms.store.database import Connection
from pandawms.store.sql import load

sql = load("workers")


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker as its provisioner and its pilot described it."""

    worker_id: int
    queue_id: int
    queue: str
    status: str
    provisioner: str
    native_id: str | None
    node: str | None
    diagnosis: str | None
    created_at: datetime
    seen_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class WorkerState:
    """What a pilot's call needs to know of its worker."""

    worker_id: int
    queue_id: int
    has_ended: bool


async def add(connection: Connection, queue_id: int, provisioner: str, who: str) -> int:
    """Makes a worker in status pending and returns its id."""
    worker_id = int(await sql.add(connection, queue_id=queue_id, provisioner=provisioner))
    await events.log(connection, "worker", worker_id, "create", None, "pending", who)
    return worker_id


async def change(connection: Connection, worker_id: int, sources: Collection[WorkerStatus], target: WorkerStatus, event: str, who: str, *,
                 native_id: str | None = None, node: str | None = None, diagnosis: str | None = None) -> bool:  # fmt: skip
    """Moves a worker from one of these statuses to another, with its line in the log; False when it was elsewhere."""
    row = await sql.change(
        connection, worker_id=worker_id, from_statuses=[str(s) for s in sources], to_status=str(target), is_final=target in WORKER.final,
        native_id=native_id, node=node, diagnosis=diagnosis,
    )  # fmt: skip
    if row is not None and row["from_status"] != target:
        await events.log(connection, "worker", worker_id, event, row["from_status"], str(target), who, {"diagnosis": diagnosis} if diagnosis else None)
    return row is not None


async def get(connection: Connection, worker_id: int) -> Worker | None:
    """Returns a worker by id."""
    row = await sql.worker(connection, worker_id=worker_id)
    return row and Worker(**{name: row[name] for name in Worker.__dataclass_fields__})


async def node_of(connection: Connection, worker_id: int) -> str | None:
    """Returns the node on which a worker runs, when known."""
    found: str | None = await sql.node_of(connection, worker_id=worker_id)
    return found


async def alive(connection: Connection, queue_id: int) -> list[Worker]:
    """Returns the workers of a queue that have not ended."""
    return [Worker(**{name: row[name] for name in Worker.__dataclass_fields__}) async for row in sql.alive(connection, queue_id=queue_id)]


async def states(connection: Connection, worker_ids: Collection[int]) -> dict[int, WorkerState]:
    """Returns the state of those workers that there are, by id."""
    return {row["worker_id"]: WorkerState(**row) async for row in sql.states(connection, worker_ids=list(worker_ids))}


async def hear(connection: Connection, heard: Mapping[int, int]) -> None:
    """Notes that the pilots of these workers (id to the queue for which they spoke) were heard, at most once in 10 s each."""
    await sql.hear(connection, worker_ids=list(heard), queue_ids=list(heard.values()))
