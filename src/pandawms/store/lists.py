"""Lists for people: pages of tasks, jobs, datasets, files, units and workers, filtered by whitelisted columns. The one place that builds a WHERE.

A list is described by a `Listing`: the tables that it reads, the order in which it is shown and paged, and for each filter the SQL that it becomes. Words of
the caller only ever travel as parameters. Each page is read in the order of an index from where the last one ended, and names are joined to its rows alone,
so that it costs the same in front of a thousand jobs and of a hundred millions.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pandawms.domain.job import JOB, LEASED, JobStatus
from pandawms.store.database import Connection
from pandawms.store.list_rows import DatasetRow, FileRow, JobRow, TaskRow, UnitRow, WorkerRow

Row = TypeVar("Row")

ENDED = frozenset(str(status) for status in JobStatus if JOB.is_final(status))
HOT = frozenset(str(status) for status in JobStatus) - ENDED
WITH_PILOTS = frozenset(str(status) for status in LEASED)


@dataclass(frozen=True, slots=True)
class Source:
    """A table that a list reads. It is left out when only other statuses than its own are asked for; `narrow` is a condition that the predicate of an index
    needs to see, and that holds when only some statuses are asked for. (The statuses themselves are compared in a way that the planner cannot estimate: it
    would take both conditions together for far rarer than they are, and read and sort all that there is.) `order_by` says the list's order so that it can be
    read in it, where that is another word."""

    select: str
    statuses: frozenset[str] | None = None
    narrow: Mapping[frozenset[str], str] | None = None
    order_by: str | None = None


@dataclass(frozen=True, slots=True)
class Listing(Generic[Row]):
    """What a list shows and how.

    `key` is the field of a row by which pages go on, `order_by` the column in the order of which they are read; `behind` is the condition for what comes
    after a key, where the two differ. `filters` maps the name of a filter to a condition with one `{}` for its parameter, or, for a yes or no, to one for
    each. `around` is what is joined to the rows of a page, which are put in its `{}`.
    """

    row: type[Row]
    sources: tuple[Source, ...]
    key: str
    order_by: str
    is_newest_first: bool
    filters: Mapping[str, str | Mapping[object, str]]
    behind: str = ""
    around: str = "{}"


COMMUNITY = "{0}.community_id = (SELECT c.community_id FROM community c WHERE c.name = {{}}::text)"
QUEUE = "{0}.queue_id = (SELECT q.queue_id FROM queue q WHERE q.name = {{}}::text)"
OWNER = "{0}.owner_id = (SELECT u.user_id FROM user_account u WHERE u.name = {{}}::text)"

TASKS = Listing(
    TaskRow,
    (
        Source(
            "SELECT t.task_id, t.name, u.name AS owner, c.name AS community, t.status, t.priority, t.reason, t.created_at, t.started_at, t.ended_at"
            " FROM task t JOIN user_account u ON u.user_id = t.owner_id JOIN community c ON c.community_id = t.community_id"
        ),
    ),
    "task_id",
    "t.task_id",
    True,
    {
        "community": COMMUNITY.format("t"),
        "status": "t.status = ANY ({}::text[])",
        "name": "t.name = {}::text",
        "owner": OWNER.format("t"),
        "stuck": {True: "(t.reason ->> 'code') LIKE 'stuck.%'", False: "coalesce(t.reason ->> 'code', '') NOT LIKE 'stuck.%'"},
    },
)
JOBS = Listing(
    JobRow,
    (
        Source(
            "SELECT j.* FROM (SELECT job_id, task_id, status, queue_id, community_id, requirement_id, priority, worker_id, attempt,"
            " NULL::timestamptz AS started_at, NULL::timestamptz AS ended_at, NULL AS message, standing FROM job) j",
            HOT,
            {WITH_PILOTS: "j.standing = 'leased'", frozenset({"defined", "assigned"}): "j.standing IN ('new', 'assigned')"},
        ),
        Source(
            "SELECT j.* FROM (SELECT job_id, task_id, status, queue_id, community_id, requirement_id, NULL::integer AS priority, worker_id, attempt,"
            " started_at, ended_at, message, NULL AS standing FROM job_archive) j",
            ENDED,
            {ENDED - {"finished"}: "j.status <> 'finished'"},
        ),
    ),
    "job_id",
    "j.job_id",
    True,
    {
        "community": COMMUNITY.format("j"),
        "task_id": "j.task_id = {}::bigint",
        "status": "array_position({}::text[], j.status) IS NOT NULL",
        "queue": QUEUE.format("j"),
        "ended_after": "j.ended_at >= {}::timestamptz",
        "ended_before": "j.ended_at < {}::timestamptz",
    },
    around="SELECT j.job_id, j.task_id, t.name AS task_name, coalesce(s.kind, r.kind, 'run') AS kind, j.status, j.attempt,"
    " coalesce(s.created_at, j.started_at, j.ended_at) AS created_at, q.name AS queue, j.priority, w.worker_id, w.node, s.previous_job_id,"
    " coalesce(j.started_at, g.started_at) AS started_at, j.ended_at, nullif(j.message, '') AS reason"
    " FROM ({}) j JOIN task t ON t.task_id = j.task_id LEFT JOIN queue q ON q.queue_id = j.queue_id LEFT JOIN worker w ON w.worker_id = j.worker_id"
    " LEFT JOIN LATERAL (SELECT * FROM job_spec WHERE job_spec.job_id = j.job_id LIMIT 1) s ON true LEFT JOIN job_usage g ON g.job_id = j.job_id"
    " LEFT JOIN requirement r ON r.requirement_id = j.requirement_id ORDER BY j.job_id DESC",
)
UNITS = Listing(
    UnitRow,
    (
        Source(
            "SELECT x.task_file_id AS unit_id, x.number, d.stream, x.status, x.attempt, x.max_attempts, x.failed_attempts, f.name, x.first_event, x.n_events,"
            " f.size_bytes, x.job_id, CASE WHEN x.status = 'failed' THEN x.reason END AS reason"
            " FROM task_file x JOIN task_dataset d USING (task_dataset_id) LEFT JOIN file f ON f.file_id = x.file_id"
        ),
        Source(
            "SELECT NULL::bigint AS unit_id, x.number, d.stream, x.status, 0::smallint AS attempt, x.max_attempts, 0::smallint AS failed_attempts,"
            " NULL::text AS name, x.first_event + (x.number - x.from_number) * coalesce(x.unit_events, 1) AS first_event,"
            " least(x.unit_events, x.end_event - x.first_event - (x.number - x.from_number) * x.unit_events) AS n_events, NULL::bigint AS size_bytes,"
            " NULL::bigint AS job_id, NULL::jsonb AS reason"
            " FROM (SELECT r.*, i AS number FROM task_range r CROSS JOIN LATERAL generate_series(r.from_number, r.to_number) AS g (i)"
            " WHERE NOT r.has_rows) x JOIN task_dataset d USING (task_dataset_id)",
            frozenset({"ready", "cancelled"}),
            order_by="x.from_number, x.number",
        ),
    ),
    "number",
    "x.number",
    False,
    {
        "task_id": "x.task_dataset_id = (SELECT m.task_dataset_id FROM task_dataset m WHERE m.task_id = {}::bigint AND m.is_master)",
        "status": "x.status = ANY ({}::text[])",
    },
)
DATASETS = Listing(
    DatasetRow,
    (
        Source(
            "SELECT d.dataset_id, d.scope, d.name, u.name AS owner, c.name AS community, d.is_open, d.n_files, d.n_bytes, d.n_events, d.created_at,"
            " d.closed_at, d.producer_task_id FROM dataset d JOIN user_account u ON u.user_id = d.owner_id"
            " JOIN community c ON c.community_id = d.community_id"
        ),
    ),
    "dataset_id",
    "d.dataset_id",
    True,
    {
        "community": COMMUNITY.format("d"),
        "scope": "d.scope = {}::text",
        "name": "d.name = {}::text",
        "is_open": "d.is_open = {}::boolean",
        "task_id": "d.producer_task_id = {}::bigint",
        "is_there": {True: "d.removed_at IS NULL", False: "d.removed_at IS NOT NULL"},
    },
)
FILES = Listing(
    FileRow,
    (
        Source(
            "SELECT f.file_id, f.dataset_id, f.scope, f.name, f.guid, f.size_bytes, f.adler32, f.events, f.created_at,"
            " EXISTS (SELECT 1 FROM replica r WHERE r.file_id = f.file_id) AS is_there FROM file f"
        ),
    ),
    "file_id",
    "f.name",
    False,
    {"dataset_id": "f.dataset_id = {}::bigint"},
    "f.name > (SELECT b.name FROM file b WHERE b.file_id = {}::bigint)",
)
WORKERS = Listing(
    WorkerRow,
    (
        Source(
            "SELECT w.worker_id, q.name AS queue, w.status, w.provisioner, w.native_id, w.node, w.diagnosis, w.created_at, w.seen_at, w.ended_at"
            " FROM worker w JOIN queue q USING (queue_id)"
        ),
    ),
    "worker_id",
    "w.worker_id",
    True,
    {"community": COMMUNITY.format("q"), "queue": QUEUE.format("w"), "status": "w.status = ANY ({}::text[])"},
)


def build(listing: Listing[Any], filters: Mapping[str, object], after: int | None, n: int) -> tuple[str, list[object]]:
    """Returns the statement of one page and its parameters; a filter that is None is left out. Raises KeyError for a filter that is not whitelisted."""
    conditions: list[str] = []
    parameters: list[object] = []
    for name, value in filters.items():
        condition = listing.filters[name]
        if isinstance(condition, Mapping):
            conditions += [condition[value]] if value is not None else []
        elif value is not None:
            parameters.append(value)
            conditions.append(condition.format(f"${len(parameters)}"))
    if after is not None:
        parameters.append(after)
        behind = listing.behind or f"{listing.order_by} {'<' if listing.is_newest_first else '>'} {{}}::bigint"
        conditions.append(behind.format(f"${len(parameters)}"))
    end = f"{' DESC' if listing.is_newest_first else ''} LIMIT {int(n)}"
    wanted = filters.get("status")
    words = frozenset(map(str, wanted)) if isinstance(wanted, list) else None
    parts = [
        _part(source, [*conditions, *_narrower(source, words)], f" ORDER BY {source.order_by or listing.order_by}{end}") for source in _sources(listing, words)
    ]
    rows = parts[0] if len(parts) == 1 else f"({') UNION ALL ('.join(parts)}) ORDER BY {listing.key}{end}"
    return listing.around.format(rows), parameters


def _sources(listing: Listing[Any], words: frozenset[str] | None) -> tuple[Source, ...]:
    """The tables that may have rows of these statuses; all when none may, as a statement must read something."""
    found = tuple(source for source in listing.sources if words is None or source.statuses is None or words & source.statuses)
    return found or listing.sources


def _narrower(source: Source, words: frozenset[str] | None) -> Iterator[str]:
    for known, condition in (source.narrow or {}).items():
        if words and words & (source.statuses or words) <= known:
            yield condition


def _part(source: Source, conditions: list[str], end: str) -> str:
    return source.select + (f" WHERE {' AND '.join(conditions)}" if conditions else "") + end


async def page(connection: Connection, listing: Listing[Row], filters: Mapping[str, object], after: int | None, n: int, seconds: float) -> list[Row]:
    """Returns up to n rows after the given id, in the list's order. Raises TimeoutError when the query takes longer than so many seconds."""
    statement, parameters = build(listing, filters, after, n)
    return [listing.row(**row) for row in await connection.fetch(statement, *parameters, timeout=seconds)]
