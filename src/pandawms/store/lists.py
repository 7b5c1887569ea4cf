"""Lists for people: pages of tasks, jobs, datasets, files, units and workers, filtered by whitelisted columns. The one place that builds a WHERE.

A list is described by a `Listing`: its columns and tables, the column by which it is ordered and paged, and for each filter the SQL that it becomes. Words
of the caller only ever travel as parameters.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from pandawms.domain.errors import NotFound
from pandawms.store.database import Connection
from pandawms.store.sql import load

sql = load("lists")
Row = TypeVar("Row")
BIGINT = 2**63 - 1


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task without its document."""

    task_id: int
    name: str
    owner: str
    community: str
    status: str
    priority: int
    reason: dict[str, Any] | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job, hot or ended."""

    job_id: int
    task_id: int
    task_name: str
    kind: str
    status: str
    attempt: int
    created_at: datetime
    queue: str | None
    priority: int | None
    worker_id: int | None
    node: str | None
    previous_job_id: int | None
    started_at: datetime | None
    ended_at: datetime | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class UnitRow:
    """An input unit of a task."""

    unit_id: int
    stream: str
    status: str
    attempt: int
    max_attempts: int
    failed_attempts: int
    name: str | None
    first_event: int | None
    n_events: int | None
    size_bytes: int | None
    job_id: int | None


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """A dataset of the catalogue."""

    dataset_id: int
    scope: str
    name: str
    owner: str
    community: str
    is_open: bool
    n_files: int
    n_bytes: int
    n_events: int
    created_at: datetime
    closed_at: datetime | None
    producer_task_id: int | None


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file of the catalogue; `is_there` when some endpoint has it."""

    file_id: int
    dataset_id: int
    scope: str
    name: str
    guid: UUID
    size_bytes: int
    adler32: bytes
    events: int | None
    created_at: datetime
    is_there: bool


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker with its queue."""

    worker_id: int
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
class Holder:
    """Which claim has or had a job, and the job's queue."""

    claim_id: UUID | None
    queue: str


@dataclass(frozen=True, slots=True)
class Listing(Generic[Row]):
    """What a list shows and how: `filters` maps the name of a filter to a condition with one `{}` for its parameter."""

    row: type[Row]
    select: str
    order_by: str
    is_newest_first: bool
    filters: Mapping[str, str]


TASKS = Listing(
    TaskRow,
    "SELECT t.task_id, t.name, u.name AS owner, c.name AS community, t.status, t.priority, t.reason, t.created_at, t.started_at, t.ended_at"
    " FROM task t JOIN user_account u ON u.user_id = t.owner_id JOIN community c ON c.community_id = t.community_id",
    "t.task_id",
    True,
    {"community": "c.name = {}::text", "status": "t.status = ANY ({}::text[])", "name": "t.name = {}::text", "owner": "u.name = {}::text"},
)
JOBS = Listing(
    JobRow,
    "SELECT s.job_id, s.task_id, t.name AS task_name, s.kind, coalesce(h.status, a.status) AS status, s.attempt, s.created_at, q.name AS queue,"
    " h.priority, w.worker_id, w.node, s.previous_job_id, coalesce(a.started_at, g.started_at) AS started_at, a.ended_at, nullif(a.message, '') AS reason"
    " FROM job_spec s JOIN task t ON t.task_id = s.task_id JOIN community c ON c.community_id = t.community_id"
    " LEFT JOIN job h ON h.job_id = s.job_id LEFT JOIN job_archive a ON a.job_id = s.job_id LEFT JOIN job_usage g ON g.job_id = s.job_id"
    " LEFT JOIN queue q ON q.queue_id = coalesce(h.queue_id, a.queue_id) LEFT JOIN worker w ON w.worker_id = coalesce(h.worker_id, a.worker_id)",
    "s.job_id",
    True,
    {
        "community": "c.name = {}::text",
        "task_id": "s.task_id = {}::bigint",
        "status": "coalesce(h.status, a.status) = ANY ({}::text[])",
        "queue": "q.name = {}::text",
    },
)
UNITS = Listing(
    UnitRow,
    "SELECT x.task_file_id AS unit_id, d.stream, x.status, x.attempt, x.max_attempts, x.failed_attempts, f.name, x.first_event, x.n_events, f.size_bytes,"
    " x.job_id FROM task_file x JOIN task_dataset d USING (task_dataset_id) LEFT JOIN file f ON f.file_id = x.file_id",
    "x.task_file_id",
    False,
    {"task_id": "x.task_id = {}::bigint", "status": "x.status = ANY ({}::text[])"},
)
DATASETS = Listing(
    DatasetRow,
    "SELECT d.dataset_id, d.scope, d.name, u.name AS owner, c.name AS community, d.is_open, d.n_files, d.n_bytes, d.n_events, d.created_at, d.closed_at,"
    " d.producer_task_id FROM dataset d JOIN user_account u ON u.user_id = d.owner_id JOIN community c ON c.community_id = d.community_id",
    "d.dataset_id",
    True,
    {
        "community": "c.name = {}::text",
        "scope": "d.scope = {}::text",
        "name": "d.name = {}::text",
        "is_open": "d.is_open = {}::boolean",
        "task_id": "d.producer_task_id = {}::bigint",
        "is_there": "(d.removed_at IS NULL) = {}::boolean",
    },
)
FILES = Listing(
    FileRow,
    "SELECT f.file_id, f.dataset_id, f.scope, f.name, f.guid, f.size_bytes, f.adler32, f.events, f.created_at,"
    " EXISTS (SELECT 1 FROM replica r WHERE r.file_id = f.file_id) AS is_there FROM file f",
    "f.file_id",
    False,
    {"dataset_id": "f.dataset_id = {}::bigint"},
)
WORKERS = Listing(
    WorkerRow,
    "SELECT w.worker_id, q.name AS queue, w.status, w.provisioner, w.native_id, w.node, w.diagnosis, w.created_at, w.seen_at, w.ended_at"
    " FROM worker w JOIN queue q USING (queue_id) JOIN community c USING (community_id)",
    "w.worker_id",
    True,
    {"community": "c.name = {}::text", "queue": "q.name = {}::text", "status": "w.status = ANY ({}::text[])"},
)


def build(listing: Listing[Any], filters: Mapping[str, object], after: int | None, n: int) -> tuple[str, list[object]]:
    """Returns the statement of one page and its parameters; a filter that is None is left out. Raises KeyError for a filter that is not whitelisted."""
    conditions, parameters = [], []
    for name, value in filters.items():
        condition = listing.filters[name]
        if value is not None:
            parameters.append(value)
            conditions.append(condition.format(f"${len(parameters)}"))
    if after is not None:
        parameters.append(after)
        conditions.append(f"{listing.order_by} {'<' if listing.is_newest_first else '>'} ${len(parameters)}::bigint")
    parameters.append(n)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    order = f" ORDER BY {listing.order_by}{' DESC' if listing.is_newest_first else ''} LIMIT ${len(parameters)}::bigint"
    return listing.select + where + order, parameters


async def page(connection: Connection, listing: Listing[Row], filters: Mapping[str, object], after: int | None, n: int, seconds: float) -> list[Row]:
    """Returns up to n rows after the given id, in the list's order. Raises TimeoutError when the query takes longer than so many seconds."""
    statement, parameters = build(listing, filters, after, n)
    return [listing.row(**row) for row in await connection.fetch(statement, *parameters, timeout=seconds)]


def checked_id(value: int, field: str) -> int:
    """Returns the id when the database can hold it. Raises NotFound otherwise: nothing has such an id."""
    if 0 < value <= BIGINT:
        return value
    raise NotFound(f"there is no {field.removesuffix('_id')} {value}", code="unknown_id", field=field, value=value, hint="ids are positive and of 64 bits")


async def claim_holder(connection: Connection, job_id: int) -> Holder | None:
    """Returns which claim has or had a job, or None when there is no such job."""
    row = await sql.claim_holder(connection, job_id=job_id)
    return row and Holder(**row)


async def jobs_elsewhere(connection: Connection, job_ids: Collection[int], queue: str) -> list[int]:
    """Returns those of the jobs that belong to another queue."""
    return [row["job_id"] async for row in sql.jobs_elsewhere(connection, job_ids=list(job_ids), queue=queue)]


async def see_worker(connection: Connection, worker_id: int, queue: str) -> None:
    """Notes that the pilot of a worker of this queue was heard."""
    await sql.see_worker(connection, worker_id=worker_id, queue=queue)


async def token_owner(connection: Connection, token_id: UUID) -> int | None:
    """Returns the user whose token it is, or None."""
    found: int | None = await sql.token_owner(connection, token_id=token_id)
    return found


async def retries(connection: Connection, task_id: int) -> int:
    """Returns how many jobs of a task were another attempt."""
    return int(await sql.retries(connection, task_id=task_id))


async def communities_of_tasks(connection: Connection, task_ids: Collection[int]) -> dict[int, str]:
    """Returns the community of each task."""
    return {row["task_id"]: row["community"] async for row in sql.communities_of_tasks(connection, task_ids=list(task_ids))}


async def communities_of_datasets(connection: Connection, dataset_ids: Collection[int]) -> dict[int, str]:
    """Returns the community of each dataset."""
    return {row["dataset_id"]: row["community"] async for row in sql.communities_of_datasets(connection, dataset_ids=list(dataset_ids))}


async def jobs_by_status(connection: Connection) -> dict[str, int]:
    """Returns how many hot jobs have each status."""
    return {row["status"]: row["n"] async for row in sql.jobs_by_status(connection)}


async def engines(connection: Connection) -> int:
    """Returns how many connections engine processes hold; none means that nothing moves."""
    return int(await sql.engines(connection))


async def schema_version(connection: Connection) -> int:
    """Returns the number of the last migration that was applied."""
    return int(await sql.schema_version(connection) or 0)


async def node_of(connection: Connection, worker_id: int) -> str | None:
    """Returns the node on which a worker runs, when known."""
    found: str | None = await sql.node_of(connection, worker_id=worker_id)
    return found


async def job_of_file(connection: Connection, file_id: int) -> int | None:
    """Returns the job that wrote a file, or None."""
    found: int | None = await sql.job_of_file(connection, file_id=file_id)
    return found


@dataclass(frozen=True, slots=True)
class Registration:
    """A file to be registered; `endpoint_id` is None when its content is still to come."""

    name: str
    guid: UUID
    size_bytes: int
    adler32: bytes
    events: int | None
    endpoint_id: int | None


async def register_files(connection: Connection, dataset_id: int, scope: str, new: Sequence[Registration]) -> dict[str, int]:
    """Registers files and returns the ids of those that are new by name; names already in the dataset are skipped."""
    rows = sql.register_files(
        connection, dataset_id=dataset_id, scope=scope, names=[f.name for f in new], guids=[f.guid for f in new], sizes=[f.size_bytes for f in new],
        adlers=[f.adler32 for f in new], events=[f.events for f in new], endpoint_ids=[f.endpoint_id for f in new],
    )  # fmt: skip
    return {row["name"]: row["file_id"] async for row in rows}


async def lock_open_dataset(connection: Connection, dataset_id: int) -> bool:
    """Whether a dataset is open; then it stays open until the caller's transaction ends."""
    return bool(await sql.lock_open_dataset(connection, dataset_id=dataset_id))


async def known_files(connection: Connection, dataset_id: int, names: Sequence[str]) -> dict[str, tuple[int, bytes]]:
    """Returns size and adler32 of those files that the dataset has."""
    rows = sql.known_files(connection, dataset_id=dataset_id, names=list(names))
    return {row["name"]: (row["size_bytes"], row["adler32"]) async for row in rows}


async def add_replica(connection: Connection, file_id: int, endpoint_id: int) -> None:
    """Keeps that an endpoint has a file."""
    await sql.add_replica(connection, file_id=file_id, endpoint_id=endpoint_id)


async def sandbox_until(connection: Connection, sha256: bytes, owner_id: int) -> datetime | None:
    """Returns until when a user owns a sandbox, or None."""
    found: datetime | None = await sql.sandbox_until(connection, sha256=sha256, owner_id=owner_id)
    return found
