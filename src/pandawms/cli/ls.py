"""List things: tasks (unless told otherwise), jobs, files, datasets, queues, workers or sites."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from pandawms.cli.columns import DATASETS, FILES, JOBS, QUEUES, SITES, TASKS, UNITS, WORKERS
from pandawms.cli.exit_codes import ExitCode
from pandawms.cli.terminal import Column
from pandawms.domain.errors import Invalid
from pandawms.wire.page import MAX_PAGE_SIZE

if TYPE_CHECKING:
    from pandawms.cli.session import Session
    from pandawms.client import Client

KINDS = ("tasks", "jobs", "files", "datasets", "queues", "workers", "sites")
DEFAULT_LIMIT = 100
_APPLIES: dict[str, tuple[str, ...]] = {
    "tasks": ("status", "name", "owner", "stuck"),
    "jobs": ("of", "status", "queue"),
    "files": ("of", "status"),
    "files of a dataset": ("of",),
    "datasets": ("status", "name"),
    "queues": (),
    "workers": ("status", "queue"),
    "sites": (),
}
"""Which filters each list takes."""


@dataclass(frozen=True, slots=True)
class _Listing:
    rows: Iterator[Any]
    columns: list[Column[Any]]


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of ls."""
    parser.add_argument("kind", nargs="?", default="tasks", choices=KINDS, metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("of", nargs="?", metavar="OF", help="jobs: their task; files: their dataset (scope:name) or task")
    parser.add_argument("--status", help="tasks, jobs, files of a task, datasets and workers: only in this status")
    parser.add_argument("--name", help="tasks and datasets: only of this name")
    parser.add_argument("--owner", help="tasks: only of this user")
    parser.add_argument("--queue", help="jobs and workers: only on this queue")
    parser.add_argument("--stuck", action="store_const", const=True, help="tasks: only those that stand still for longer than they may")
    many = parser.add_mutually_exclusive_group()
    many.add_argument("--limit", type=int, metavar="N", help=f"at most so many (default {DEFAULT_LIMIT})")
    many.add_argument("--all", action="store_true", help="all of them")


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Lists; says on standard error when there are more."""
    limit = _checked(arguments)
    with session.client() as client:
        listing = _LISTINGS[arguments.kind](client, arguments)
        if arguments.all:
            session.terminal.table(listing.rows, listing.columns)
            return ExitCode.OK
        shown = list(islice(listing.rows, limit))
        has_more = len(shown) == limit and next(listing.rows, None) is not None
    session.terminal.table(shown, listing.columns)
    if has_more:
        session.terminal.note(f"these are the first {limit}; --all shows all")
    return ExitCode.OK


def _checked(arguments: argparse.Namespace) -> int:
    """How many to show; raises Invalid for a limit below 1 and for what does not apply to this kind."""
    if arguments.limit is not None and arguments.limit < 1:
        raise Invalid("--limit must be at least 1", code="usage", field="--limit", value=arguments.limit, hint="or give --all")
    applies = _APPLIES["files of a dataset" if arguments.kind == "files" and ":" in (arguments.of or "") else arguments.kind]
    for name in ("of", "status", "name", "owner", "queue", "stuck"):
        value = getattr(arguments, name)
        if value is not None and name not in applies:
            field = "OF" if name == "of" else f"--{name}"
            allowed = ", ".join("OF" if word == "of" else f"--{word}" for word in applies) or "no filter"
            hint = "`panda show` shows one thing" if name == "of" else "leave it out"
            raise Invalid(f"{field} does not apply to {arguments.kind}", code="usage", field=field, value=value, allowed=allowed, hint=hint)
    return DEFAULT_LIMIT if arguments.limit is None else int(arguments.limit)


def _page_size(arguments: argparse.Namespace) -> int:
    return MAX_PAGE_SIZE if arguments.all else min(MAX_PAGE_SIZE, (arguments.limit or DEFAULT_LIMIT) + 1)


def _tasks(client: Client, arguments: argparse.Namespace) -> _Listing:
    rows = client.tasks.list(status=arguments.status, name=arguments.name, owner=arguments.owner, stuck=arguments.stuck, limit=_page_size(arguments))
    return _Listing(rows, list(TASKS))


def _jobs(client: Client, arguments: argparse.Namespace) -> _Listing:
    task_id = None if arguments.of is None else client.tasks.get(arguments.of).task_id
    rows = client.jobs.list(task_id=task_id, status=arguments.status, queue=arguments.queue, limit=_page_size(arguments))
    return _Listing(rows, list(JOBS))


def _files(client: Client, arguments: argparse.Namespace) -> _Listing:
    if arguments.of is None:
        raise Invalid("files of what?", code="usage", field="OF", hint="panda ls files SCOPE:NAME, or panda ls files TASK")
    if ":" in arguments.of:
        return _Listing(client.datasets.files(arguments.of, limit=_page_size(arguments)), list(FILES))
    rows = client.tasks.files(arguments.of, status=arguments.status, limit=_page_size(arguments))
    return _Listing(rows, list(UNITS))


def _datasets(client: Client, arguments: argparse.Namespace) -> _Listing:
    rows = client.datasets.list(name=arguments.name, status=arguments.status, limit=_page_size(arguments))
    return _Listing(rows, list(DATASETS))


def _queues(client: Client, arguments: argparse.Namespace) -> _Listing:
    return _Listing(client.queues.list(), list(QUEUES))


def _workers(client: Client, arguments: argparse.Namespace) -> _Listing:
    rows = client.workers.list(queue=arguments.queue, status=arguments.status, limit=_page_size(arguments))
    return _Listing(rows, list(WORKERS))


def _sites(client: Client, arguments: argparse.Namespace) -> _Listing:
    return _Listing(client.sites.list(), list(SITES))


_LISTINGS: dict[str, Callable[[Client, argparse.Namespace], _Listing]] = {
    "tasks": _tasks,
    "jobs": _jobs,
    "files": _files,
    "datasets": _datasets,
    "queues": _queues,
    "workers": _workers,
    "sites": _sites,
}
